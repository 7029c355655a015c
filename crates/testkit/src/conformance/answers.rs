//! What was answered to requests that carry an `Idempotency-Key`.

use std::time::Duration;

use store::{AnswerId, KeptAnswer, StoreError};
use tokio::task::JoinSet;

use crate::{Refused, World, reading, writing};

fn kept(text: &str) -> KeptAnswer {
    KeptAnswer {
        request: [3; 32],
        answer: text.as_bytes().to_vec(),
    }
}

async fn get(world: &World, id: AnswerId) -> Option<KeptAnswer> {
    world
        .read(reading!([id] tx => tx.answer_get(*id).await))
        .await
}

async fn put(world: &World, id: AnswerId, kept: &KeptAnswer) {
    let (kept, at) = (kept.clone(), world.now());
    world
        .write(writing!([id, kept, at] tx => tx.answer_put(*id, kept, *at).await))
        .await;
}

pub(super) async fn an_answer_is_read_back_as_it_was_given(world: &World) {
    let (one, other) = (AnswerId([1; 32]), AnswerId([2; 32]));
    assert_eq!(get(world, one).await, None);
    let empty = KeptAnswer {
        request: [0; 32],
        answer: Vec::new(),
    };
    put(world, one, &kept("{\"ü\":1}")).await;
    put(world, other, &empty).await;
    assert_eq!(get(world, one).await, Some(kept("{\"ü\":1}")));
    assert_eq!(get(world, other).await, Some(empty));
}

pub(super) async fn an_answer_goes_with_its_change_or_not_at_all(world: &World) {
    let id = AnswerId([1; 32]);
    let (kept, at) = (kept("{}"), world.now());
    let refused = world
        .attempt(writing!([id, kept, at] tx => {
            tx.answer_put(*id, kept, *at).await?;
            Err::<(), _>(Refused::Because("on purpose"))
        }))
        .await;
    assert!(refused.is_err());
    assert_eq!(get(world, id).await, None);
}

pub(super) async fn of_two_under_one_name_at_once_the_other_finds_the_first(world: &World) {
    let id = AnswerId([1; 32]);
    let mut at_once = JoinSet::new();
    for number in 0..16 {
        let (kept, at) = (kept(&number.to_string()), world.now());
        let unit = writing!([id, kept, at] tx => {
            if let Some(found) = tx.answer_get(*id).await? {
                return Ok(found);
            }
            tx.answer_put(*id, kept, *at).await?;
            Ok(kept.clone())
        });
        let store = world.store.clone();
        at_once.spawn(async move {
            let answered: Result<KeptAnswer, StoreError> = store.write(unit).await;
            answered.expect("the store does it")
        });
    }
    let mut answers = at_once.join_all().await;
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(get(world, id).await.as_ref(), answers.first());
}

pub(super) async fn answers_are_forgotten_by_age_in_slices(world: &World) {
    let ids: Vec<_> = (0..5).map(|number| AnswerId([number; 32])).collect();
    for id in &ids[..4] {
        put(world, *id, &kept("old")).await;
    }
    world.clock.advance(Duration::from_hours(1));
    let before = world.now();
    put(world, ids[4], &kept("young")).await;
    let forget = async || {
        world
            .write(writing!([before] tx => tx.answer_forget(*before, 3).await))
            .await
    };
    assert_eq!(forget().await, 3);
    assert_eq!(forget().await, 1);
    assert_eq!(forget().await, 0);
    for id in &ids[..4] {
        assert_eq!(get(world, *id).await, None);
    }
    assert_eq!(get(world, ids[4]).await, Some(kept("young")));
}
