//! Marks: what a database knows again what belongs to it by.

use crate::{World, reading, writing};

async fn get(world: &World, name: &str) -> Option<Vec<u8>> {
    let name = name.to_owned();
    world
        .read(reading!([name] tx => tx.mark_get(name).await))
        .await
}

async fn make(world: &World, mark: u8) -> Vec<u8> {
    world
        .write(writing!([mark] tx => tx.mark_make("one", &[*mark]).await))
        .await
}

pub(super) async fn the_first_mark_of_a_name_stays_until_it_is_replaced(world: &World) {
    assert_eq!(get(world, "one").await, None);
    assert_eq!(make(world, 1).await, [1]);
    assert_eq!(make(world, 2).await, [1]);
    let mark = 3_u8;
    world
        .write(writing!([mark] tx => tx.mark_replace("one", &[*mark]).await))
        .await;
    assert_eq!(get(world, "one").await, Some(vec![3]));
    assert_eq!(make(world, 4).await, [3]);
    assert_eq!(get(world, "two").await, None);
}

pub(super) async fn of_marks_made_at_once_all_get_the_same(world: &World) {
    const NODES: u8 = 16;
    let make = |node: u8| {
        let store = world.store.clone();
        tokio::spawn(async move {
            let unit = writing!([node] tx => tx.mark_make("one", &[*node]).await);
            store.write(unit).await
        })
    };
    let making: Vec<_> = (0..NODES).map(make).collect();
    let mut got = Vec::new();
    for made in making {
        got.push(
            made.await
                .expect("the task ends")
                .expect("the store answers"),
        );
    }
    assert!(got.iter().all(|mark| *mark == got[0]), "{got:?}");
}
