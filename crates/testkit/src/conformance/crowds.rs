//! Many units of work at the same time, and the end of the store.

use std::{collections::BTreeSet, future::poll_fn, sync::Arc, task::Poll};

use domain::{EventType, Scope};
use store::StoreError;

use crate::{Refused, SeedTeam, World, document, reading, writing};

pub(super) async fn many_writers_at_once_each_get_their_own_answer(world: &mut World) {
    const WRITERS: i64 = 300;
    let store = Arc::new(world.store.clone());
    let at = world.now();
    let spawn = |number: i64| {
        let store = store.clone();
        tokio::spawn(async move {
            let unit = writing!([number, at] tx => {
                let team = tx.team_insert(&format!("Team {number}"), *at).await?;
                assert!(number % 31 != 7, "a bug in a use case; the test wants it");
                if number % 5 == 3 {
                    return Err(Refused::Because("it was its turn"));
                }
                Ok((*number, team))
            });
            (number, store.write(unit).await)
        })
    };
    let writers: Vec<_> = (0..WRITERS).map(spawn).collect();
    let mut made = Vec::new();
    for writer in writers {
        match writer.await.expect("the task ends") {
            (number, Ok((answered, team))) => {
                assert_eq!(answered, number);
                made.push((team, format!("Team {number}")));
            }
            (number, Err(Refused::Because(_))) => {
                assert_eq!((number % 5, number % 31 != 7), (3, true));
            }
            (number, Err(Refused::Store(StoreError::Panicked))) => assert_eq!(number % 31, 7),
            (number, Err(error)) => panic!("writer {number} got {error:?}"),
        }
    }
    let refused = |number: &i64| number % 31 != 7 && number % 5 != 3;
    assert_eq!(made.len(), (0..WRITERS).filter(refused).count());
    world.reopen().await;
    for (team, name) in made {
        let found = world
            .read(reading!([team] tx => tx.team_get(*team).await))
            .await;
        assert_eq!(found.map(|found| found.name), Some(name));
    }
}

pub(super) async fn a_read_sees_one_state_from_beginning_to_end(world: &World) {
    const ROUNDS: usize = 40;
    let team = world.team("Blue").await;
    let writer = async {
        for number in 0..ROUNDS {
            let name = format!("Template {number}");
            let plain = serde_json::json!({ "name": name, "tasks": [{ "name": "Do it" }] });
            world.template(team, None, document(plain)).await;
        }
    };
    let reader = async {
        for _ in 0..ROUNDS {
            let look = reading!([team] tx => Ok((
                tx.template_list(*team, 1_000).await?.len(),
                tx.task_suggest(*team, 1_000).await?.len(),
                tx.template_list(*team, 1_000).await?.len(),
            )));
            let (templates, tasks, again) = world.read(look).await;
            assert_eq!((templates, templates), (tasks, again));
        }
    };
    tokio::join!(writer, reader);
}

pub(super) async fn what_was_submitted_before_a_stop_is_finished(world: &mut World) {
    let seed = |number: u32| SeedTeam {
        name: format!("Team {number}"),
        source: world.source.clone(),
    };
    let mut submitted: Vec<_> = (0..20)
        .map(|number| Box::pin(world.store.write(seed(number))))
        .collect();
    let mut early = Vec::new();
    // Polled once each, so that all of them are with the store before it stops.
    poll_fn(|context| {
        submitted.retain_mut(|write| match write.as_mut().poll(context) {
            Poll::Ready(answer) => {
                early.push(answer);
                false
            }
            Poll::Pending => true,
        });
        Poll::Ready(())
    })
    .await;
    world.store.stop().await;
    for write in submitted {
        early.push(write.await);
    }
    let teams: Vec<_> = early
        .into_iter()
        .map(|answer| answer.expect("it is finished"))
        .collect();
    let late = world.store.write(seed(99)).await;
    assert!(
        late.as_ref().is_err_and(StoreError::is_transient),
        "nothing more is taken: {late:?}"
    );
    let team = teams[0];
    let look = reading!([team] tx => tx.team_get(*team).await);
    assert!(
        world
            .store
            .read(look)
            .await
            .is_err_and(|error| error.is_transient())
    );
    world.reopen().await;
    for team in teams {
        assert!(
            world
                .read(reading!([team] tx => tx.team_get(*team).await))
                .await
                .is_some()
        );
    }
}

pub(super) async fn events_of_many_at_once_are_numbered_without_gaps(world: &World) {
    const KIND: EventType = EventType::TaskCompleted;
    const WRITERS: usize = 60;
    let scene = world.scene().await;
    let lanes = [
        world.subscribe(&scene, KIND).await.id,
        world.subscribe_to(scene.team, KIND, Scope::Team).await.id,
    ];
    world.lanes.set_permits(WRITERS);
    let spawn = |number: usize| {
        let (event, store) = (scene.event(KIND, &world.source), world.store.clone());
        tokio::spawn(async move {
            let unit = writing!([event, number] tx => {
                tx.event_append(event).await?;
                assert!(number % 11 != 5, "a bug in a use case; the test wants it");
                if number % 7 == 3 {
                    return Err(Refused::Because("it was its turn"));
                }
                Ok(event.id)
            });
            store.write(unit).await.ok()
        })
    };
    let writers: Vec<_> = (0..WRITERS).map(spawn).collect();
    let mut kept = BTreeSet::new();
    for writer in writers {
        kept.extend(writer.await.expect("the task ends"));
    }
    let refused = |number: &usize| number % 11 == 5 || number % 7 == 3;
    assert_eq!(kept.len(), WRITERS - (0..WRITERS).filter(refused).count());
    let handed = world.lanes.wait_handed(kept.len() * 2).await;
    assert_eq!(handed.len(), kept.len() * 2);
    for lane in lanes {
        let in_lane = || {
            handed
                .iter()
                .filter(|leased| leased.destination.subscription == lane)
        };
        let events: BTreeSet<_> = in_lane().map(|leased| leased.event).collect();
        assert_eq!(events, kept, "each that was kept, and no other");
        let numbers: Vec<_> = in_lane().map(|leased| leased.sequence).collect();
        let expected: Vec<_> = (1..).take(kept.len()).collect();
        assert_eq!(numbers, expected, "in the order of the commits");
    }
}
