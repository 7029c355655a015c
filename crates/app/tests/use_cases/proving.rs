//! Targets that prove themselves before anything is sent to them, and what happens meanwhile.

use app::{
    AppError, ChangeAnswer, ChangeSubscription, GetSubscription, PROOFS_OF_TEAM_MAX, ScopeKeys,
    Subscribe, SubscribeAnswer, Unsubscribe,
};
use domain::{
    EventType, Granted, Handshake, Proof, ProofRefusal, RequestChange, Secret, SettingsChange,
    SubscriptionId, SubscriptionRow,
};
use store::{AuditLine, ReadTx, StoreError};
use testkit::PATIENCE;

use crate::support::{Bench, HELD_NAME};

const TARGET: &str = "http://127.0.0.1:9/hook";
const OTHER: &str = "http://127.0.0.1:9/other";

fn with(proof: Proof) -> SettingsChange {
    SettingsChange {
        proof: Some(proof),
        ..SettingsChange::default()
    }
}

fn subscribe(settings: SettingsChange) -> Subscribe {
    Subscribe {
        source: "custom".to_owned(),
        event_type: EventType::TaskCompleted,
        target_url: TARGET.to_owned(),
        keys: ScopeKeys {
            template: None,
            task: None,
            control: None,
            team: true,
        },
        settings,
        secret: None,
    }
}

impl Bench {
    async fn subscribe(&self, settings: SettingsChange) -> Result<SubscribeAnswer, AppError> {
        self.app.subscribe(&self.caller, subscribe(settings)).await
    }

    async fn patch(
        &self,
        id: SubscriptionId,
        target: Option<&str>,
        settings: SettingsChange,
    ) -> Result<ChangeAnswer, AppError> {
        let change = ChangeSubscription {
            id,
            source: None,
            target_url: target.map(str::to_owned),
            settings,
            repeated: Vec::new(),
        };
        self.app.change_subscription(&self.caller, change).await
    }

    async fn row(&self, id: SubscriptionId) -> SubscriptionRow {
        let found = self.app.query(&self.caller, GetSubscription(id)).await;
        found.unwrap()
    }

    async fn audit(&self, id: SubscriptionId) -> Vec<String> {
        let lines = self.store.read(Audit).await.unwrap();
        let of = lines
            .into_iter()
            .filter(|line| line.subject == id.to_string());
        let mut of: Vec<_> = of
            .map(|line| format!("{}: {}", line.action, line.detail))
            .collect();
        of.reverse();
        of
    }
}

struct Audit;

impl store::Read for Audit {
    type Done = Vec<AuditLine>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Vec<AuditLine>, StoreError> {
        tx.audit_list(domain::TeamId::new(1), None, 100).await
    }
}

const fn slower(rate: u32) -> Granted {
    Granted {
        rate_per_second_max: Some(rate),
    }
}

fn refused() -> Result<Granted, ProofRefusal> {
    Err(ProofRefusal::NoAnswer("connection refused".to_owned()))
}

#[tokio::test]
async fn nothing_is_asked_of_a_target_where_nobody_says_so() {
    let bench = Bench::start().await;
    for settings in [SettingsChange::default(), with(Proof::None)] {
        let made = bench.subscribe(settings.clone()).await.unwrap();
        let changed = bench.patch(made.row.id, Some(OTHER), settings).await;
        let row = changed.unwrap().row;
        assert_eq!((row.proof, row.proven_at), (Proof::None, None));
        bench
            .patch(row.id, Some(TARGET), with(Proof::None))
            .await
            .unwrap();
    }
    assert_eq!(bench.prover.asked(), []);
}

#[tokio::test]
async fn a_subscription_is_made_once_its_target_is_proven() {
    let bench = Bench::start().await;
    for proof in [Proof::Options, Proof::Echo] {
        bench.prover.script(refused());
        let error = bench.subscribe(with(proof)).await.unwrap_err();
        let said =
            "the target is not proven: connection refused; a receiver must be there and answer";
        assert!(error.to_string().starts_with(said), "{error}");
        let headers = vec![("x-tenant".to_owned(), Secret::new("blue"))];
        let settings = SettingsChange {
            request: RequestChange {
                headers: Some(headers),
                ..RequestChange::default()
            },
            ..with(proof)
        };
        let made = bench.subscribe(settings.clone()).await.unwrap();
        assert!(made.is_new, "the one that was refused was not made");
        assert_eq!(made.row.proof, proof);
        assert_eq!(made.row.proven_at, Some(made.row.created_date_time));
        assert_eq!(bench.row(made.row.id).await, made.row);
        let asked = bench.prover.asked();
        let asked = asked.last().unwrap();
        assert_eq!(asked.target.as_str(), TARGET);
        let style = asked.style.as_ref().unwrap();
        assert_eq!(style.credentials.headers["x-tenant"].reveal(), "blue");
        if let Handshake::Options { origin, .. } = &asked.handshake {
            assert_eq!(origin, "checks.example.com");
        }
        let lines = bench.audit(made.row.id).await;
        assert_eq!(
            lines,
            [format!("subscription.create: {TARGET}, proof {proof}")]
        );

        let count = bench.prover.asked().len();
        let again = bench.subscribe(settings).await.unwrap();
        assert_eq!((again.is_new, &again.row), (false, &made.row));
        assert_eq!(bench.prover.asked().len(), count, "it is proven already");
        bench
            .app
            .change(&bench.caller, Unsubscribe(made.row.id))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_change_of_what_is_proven_is_proven_first() {
    let bench = Bench::start().await;
    let id = bench
        .subscribe(SettingsChange::default())
        .await
        .unwrap()
        .row
        .id;
    let before = bench.row(id).await;
    bench.prover.script(refused());
    let error = bench.patch(id, None, with(Proof::Echo)).await.unwrap_err();
    assert!(matches!(error, AppError::NotProven(_)), "{error}");
    assert_eq!(bench.row(id).await, before, "nothing was changed");

    bench.clock.advance(std::time::Duration::from_mins(1));
    let row = bench.patch(id, None, with(Proof::Echo)).await.unwrap().row;
    assert_eq!((row.proof, row.proven_at), (Proof::Echo, Some(bench.now())));
    bench.prover.script(refused());
    let error = bench
        .patch(id, Some(OTHER), SettingsChange::default())
        .await;
    assert!(matches!(error, Err(AppError::NotProven(_))));
    assert_eq!(bench.row(id).await, row);
    let asked = bench.prover.asked().len();
    bench.clock.advance(std::time::Duration::from_mins(1));
    // What a proof is not about needs none.
    let slow = SettingsChange {
        rate_per_second: Some(Some(5)),
        ..with(Proof::Echo)
    };
    let slow = bench.patch(id, Some(TARGET), slow).await.unwrap().row;
    assert_eq!(slow.proven_at, row.proven_at);
    assert_eq!(bench.prover.asked().len(), asked);
    let moved = bench
        .patch(id, Some(OTHER), SettingsChange::default())
        .await;
    let moved = moved.unwrap().row;
    assert_eq!(moved.proven_at, Some(bench.now()));
    let without = bench.patch(id, None, with(Proof::None)).await.unwrap().row;
    assert_eq!((without.proof, without.proven_at), (Proof::None, None));
    assert_eq!(
        bench.audit(id).await,
        [
            format!("subscription.create: {TARGET}"),
            "subscription.change: proof echo, proven".to_owned(),
            "subscription.change: ratePerSecond 5".to_owned(),
            format!("subscription.change: targetUrl {OTHER}, proven"),
            "subscription.change: proof none".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_change_is_asked_with_the_headers_that_are_stored() {
    let bench = Bench::start().await;
    let headers = vec![("x-tenant".to_owned(), Secret::new("blue"))];
    let settings = SettingsChange {
        request: RequestChange {
            headers: Some(headers),
            ..RequestChange::default()
        },
        ..SettingsChange::default()
    };
    let id = bench.subscribe(settings).await.unwrap().row.id;
    bench.patch(id, None, with(Proof::Echo)).await.unwrap();
    bench
        .app
        .prove_subscription(&bench.caller, id)
        .await
        .unwrap();
    for asked in bench.prover.asked() {
        let style = asked.style.unwrap();
        assert_eq!(style.credentials.headers["x-tenant"].reveal(), "blue");
    }
    assert_eq!(bench.prover.asked().len(), 2);
}

#[tokio::test]
async fn what_the_receiver_allows_is_the_ceiling_of_the_rate() {
    let bench = Bench::start().await;
    bench.prover.script(Ok(slower(3)));
    let made = bench.subscribe(with(Proof::Options)).await.unwrap();
    let id = made.row.id;
    assert_eq!(made.row.rate_per_second, Some(3));
    let rate = |rate| SettingsChange {
        rate_per_second: Some(rate),
        ..SettingsChange::default()
    };
    // A slower one is within what was allowed; a faster one is asked for.
    let row = bench.patch(id, None, rate(Some(2))).await.unwrap().row;
    assert_eq!(
        (row.rate_per_second, bench.prover.asked().len()),
        (Some(2), 1)
    );
    for (wished, allowed, then) in [
        (Some(9), slower(5), Some(5)),
        (Some(6), Granted::default(), Some(6)),
        (None, slower(7), Some(7)),
        (None, Granted::default(), None),
    ] {
        bench.prover.script(Ok(allowed));
        let row = bench.patch(id, None, rate(wished)).await.unwrap().row;
        assert_eq!(row.rate_per_second, then);
        assert_eq!(bench.row(id).await.rate_per_second, then);
        let asked = bench.prover.asked();
        let Handshake::Options {
            rate_per_second, ..
        } = &asked.last().unwrap().handshake
        else {
            panic!("{asked:?}");
        };
        assert_eq!(*rate_per_second, wished);
    }
    let lines = bench.audit(id).await;
    assert!(
        lines.contains(&"subscription.change: ratePerSecond 5".to_owned()),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_target_is_proven_again_on_demand() {
    let bench = Bench::start().await;
    let id = bench.subscribe(with(Proof::Options)).await.unwrap().row.id;
    let before = bench.row(id).await;
    let prove = || bench.app.prove_subscription(&bench.caller, id);
    bench.clock.advance(std::time::Duration::from_mins(1));
    bench.prover.script(refused());
    let error = prove().await.unwrap_err();
    assert!(matches!(error, AppError::NotProven(_)), "{error}");
    assert_eq!(bench.row(id).await, before, "it stays as it was");
    bench.prover.script(Ok(slower(4)));
    let row = prove().await.unwrap();
    assert_eq!(
        (row.proven_at, row.rate_per_second),
        (Some(bench.now()), Some(4))
    );
    assert_eq!(bench.row(id).await, row);
    let lines = bench.audit(id).await;
    assert_eq!(lines[1..], ["subscription.prove: ratePerSecond 4, proven"]);

    bench.patch(id, None, with(Proof::None)).await.unwrap();
    let error = prove().await.unwrap_err();
    assert!(matches!(error, AppError::NothingToProve), "{error}");
    bench
        .app
        .change(&bench.caller, Unsubscribe(id))
        .await
        .unwrap();
    let error = prove().await.unwrap_err();
    assert!(matches!(error, AppError::SubscriptionGone(_)), "{error}");
    assert_eq!(bench.prover.asked().len(), 3);
}

/// What is done to a subscription while its target is proven.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Moved,
    Slowed,
    Unproven,
    Ended,
}

impl Meanwhile {
    async fn happens(self, bench: &Bench, id: SubscriptionId) {
        let rate = SettingsChange {
            rate_per_second: Some(Some(1)),
            ..SettingsChange::default()
        };
        match self {
            // Not itself proven: the subscription has no proof then, or the change is none of the target.
            Self::Moved => {
                bench
                    .patch(id, Some("http://127.0.0.1:9/third"), with(Proof::None))
                    .await
                    .unwrap();
            }
            Self::Slowed => {
                bench.patch(id, None, rate).await.unwrap();
            }
            Self::Unproven => {
                bench.patch(id, None, with(Proof::None)).await.unwrap();
            }
            Self::Ended => {
                bench
                    .app
                    .change(&bench.caller, Unsubscribe(id))
                    .await
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_proof_counts_for_nothing_once_what_it_was_about_has_changed() {
    use Meanwhile::{Ended, Moved, Slowed, Unproven};
    for meanwhile in [Moved, Slowed, Unproven, Ended] {
        for again in [true, false] {
            let bench = Bench::start().await;
            let id = bench.subscribe(with(Proof::Echo)).await.unwrap().row.id;
            let gate = bench.prover.hold();
            let (then, error) = tokio::join!(
                async {
                    bench.prover.wait_under_way(1).await;
                    meanwhile.happens(&bench, id).await;
                    let then = bench.row(id).await;
                    gate.open();
                    then
                },
                async {
                    if again {
                        let proven = bench.app.prove_subscription(&bench.caller, id).await;
                        proven.unwrap_err()
                    } else {
                        let moved = bench
                            .patch(id, Some(OTHER), SettingsChange::default())
                            .await;
                        moved.unwrap_err()
                    }
                },
            );
            let as_expected = match meanwhile {
                Ended => matches!(error, AppError::SubscriptionGone(_)),
                _ => matches!(error, AppError::SubscriptionChanged),
            };
            assert!(as_expected, "{meanwhile:?} {again}: {error}");
            assert_eq!(bench.row(id).await, then, "{meanwhile:?}");
        }
    }
}

/// `now`, and `meanwhile` after what `now` does is decided and before it is stored; `now` has to look [`HELD_NAME`] up.
async fn between<A, B>(
    bench: &Bench,
    now: impl Future<Output = A>,
    meanwhile: impl Future<Output = B>,
) -> (A, B) {
    let meanwhile = async {
        bench.held.begun.notified().await;
        let done = meanwhile.await;
        bench.held.gate.open();
        done
    };
    tokio::join!(now, meanwhile)
}

#[tokio::test]
async fn a_change_that_needed_no_proof_may_need_one_by_the_time_it_is_stored() {
    let bench = Bench::start().await;
    let plain = bench.subscribe(SettingsChange::default()).await.unwrap();
    let id = plain.row.id;
    let held = format!("http://{HELD_NAME}/hook");
    let moving = Box::pin(bench.patch(id, Some(&held), SettingsChange::default()));
    let proving = Box::pin(bench.patch(id, None, with(Proof::Echo)));
    let (moved, proven) = between(&bench, moving, proving).await;
    let error = moved.unwrap_err();
    assert!(matches!(error, AppError::SubscriptionChanged), "{error}");
    assert_eq!(bench.row(id).await, proven.unwrap().row);
    assert_eq!(bench.prover.asked()[0].target.as_str(), TARGET);
}

#[tokio::test]
async fn what_was_there_and_has_ended_is_not_made_anew_without_a_proof() {
    let bench = Bench::start().await;
    let mut ask = subscribe(with(Proof::Echo));
    ask.target_url = format!("http://{HELD_NAME}/hook");
    bench.held.gate.open();
    let first = bench.app.subscribe(&bench.caller, ask.clone()).await;
    let id = first.unwrap().row.id;
    bench.held.begun.notified().await;
    bench.held.gate.close();
    let asking = Box::pin(bench.app.subscribe(&bench.caller, ask));
    let ending = Box::pin(bench.app.change(&bench.caller, Unsubscribe(id)));
    let (again, ended) = between(&bench, asking, ending).await;
    ended.unwrap();
    let error = again.unwrap_err();
    assert!(matches!(error, AppError::SubscriptionChanged), "{error}");
    assert_eq!(bench.prover.asked().len(), 1);
}

#[tokio::test]
async fn a_proof_is_not_stored_where_another_change_came_first() {
    let bench = Bench::start().await;
    let plain = bench.subscribe(SettingsChange::default()).await.unwrap();
    let id = plain.row.id;
    let gate = bench.prover.hold();
    let (first, second) = tokio::join!(bench.patch(id, None, with(Proof::Echo)), async {
        bench.prover.wait_under_way(1).await;
        let moved = bench.patch(id, Some(OTHER), SettingsChange::default());
        let moved = moved.await;
        gate.open();
        moved
    });
    assert_eq!(second.unwrap().row.target_url, OTHER);
    let error = first.unwrap_err();
    assert!(matches!(error, AppError::SubscriptionChanged), "{error}");
    let row = bench.row(id).await;
    assert_eq!((row.proof, row.proven_at), (Proof::None, None));
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_made() {
    let bench = Bench::start().await;
    let id = bench.subscribe(with(Proof::Echo)).await.unwrap().row.id;
    let gate = bench.prover.hold();
    let (one, other, ()) = tokio::join!(
        bench.patch(id, Some(OTHER), SettingsChange::default()),
        bench.patch(
            id,
            Some("http://127.0.0.1:9/third"),
            SettingsChange::default()
        ),
        async {
            bench.prover.wait_under_way(2).await;
            gate.open();
        },
    );
    let (made, refused) = match (one, other) {
        (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made.row, refused),
        both => panic!("{both:?}"),
    };
    assert!(
        matches!(refused, AppError::SubscriptionChanged),
        "{refused}"
    );
    assert_eq!(bench.row(id).await, made);
}

#[tokio::test]
async fn of_two_subscribers_at_once_both_get_the_one_that_is_made() {
    let bench = Bench::start().await;
    let gate = bench.prover.hold();
    let (one, other, ()) = tokio::join!(
        bench.subscribe(with(Proof::Echo)),
        bench.subscribe(with(Proof::Echo)),
        async {
            bench.prover.wait_under_way(2).await;
            gate.open();
        },
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.row, other.row);
    assert_ne!(one.is_new, other.is_new);
}

#[tokio::test]
async fn a_team_has_a_bound_on_handshakes_and_each_gives_its_place_back() {
    let bench = Bench::start().await;
    let id = bench.subscribe(with(Proof::Echo)).await.unwrap().row.id;
    let gate = bench.prover.hold();
    let prove = || {
        let (app, caller) = (bench.app.clone(), bench.caller.clone());
        tokio::spawn(async move { app.prove_subscription(&caller, id).await })
    };
    let mut held: Vec<_> = (0..PROOFS_OF_TEAM_MAX).map(|_| prove()).collect();
    bench.prover.wait_under_way(PROOFS_OF_TEAM_MAX).await;
    let full = bench.app.prove_subscription(&bench.caller, id);
    let full = tokio::time::timeout(PATIENCE, full).await;
    let full = full.expect("it is not begun");
    assert!(matches!(full, Err(AppError::ProofsUnderWay { .. })));
    // Others are not held up by it.
    let other = bench.other_team().await;
    let theirs = bench.app.subscribe(&other, subscribe(with(Proof::Echo)));
    // Whoever goes away gives the place back.
    held.pop().unwrap().abort();
    bench.prover.wait_under_way(PROOFS_OF_TEAM_MAX - 1).await;
    let mine = bench.app.prove_subscription(&bench.caller, id);
    let opened = async {
        bench.prover.wait_under_way(PROOFS_OF_TEAM_MAX + 1).await;
        gate.open();
    };
    let (theirs, mine, ()) = tokio::join!(theirs, mine, opened);
    assert!(theirs.unwrap().is_new);
    // The others have proven it as well, and the first of them has changed it.
    let mut ended = vec![mine];
    for one in held {
        ended.push(one.await.unwrap());
    }
    let good = ended.iter().filter(|one| one.is_ok()).count();
    assert!(good >= 1, "{ended:?}");
    assert_eq!(bench.prover.under_way(), 0);
    bench
        .app
        .prove_subscription(&bench.caller, id)
        .await
        .unwrap();
}
