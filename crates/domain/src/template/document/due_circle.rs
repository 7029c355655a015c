//! Finding out whether due rules go in a circle.

use crate::{Anchor, Template};

/// The circle that due rules go in, in words, if they do. The task before one is any that it may be once
/// others are hidden.
pub(super) fn due_circle(template: &Template) -> Option<String> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let mut seen = vec![Seen::No; template.tasks.len()];
    for root in 0..template.tasks.len() {
        if seen[root] != Seen::No {
            continue;
        }
        seen[root] = Seen::Open;
        let mut way = vec![(root, due_after(template, root))];
        while let Some((at, rest)) = way.last_mut() {
            let Some(next) = rest.pop() else {
                seen[*at] = Seen::Done;
                way.pop();
                continue;
            };
            match seen[next] {
                Seen::Done => {}
                Seen::No => {
                    seen[next] = Seen::Open;
                    way.push((next, due_after(template, next)));
                }
                Seen::Open => {
                    let begin = way.iter().position(|(task, _)| *task == next)?;
                    let names = way[begin..].iter().map(|(task, _)| *task).chain([next]);
                    let names = names.map(|task| format!("{:?}", template.tasks[task].name));
                    let names: Vec<String> = names.collect();
                    return Some(names.join(" is due after "));
                }
            }
        }
    }
    None
}

/// The tasks after whose completion the one at `index` may be due.
fn due_after(template: &Template, index: usize) -> Vec<usize> {
    let tasks = &template.tasks;
    match tasks[index].due.as_ref().map(|rule| rule.anchor) {
        Some(Anchor::Task(task)) => vec![task],
        Some(Anchor::Previous) => {
            let mut found = Vec::new();
            for before in (0..index).rev().filter(|before| !tasks[*before].heading) {
                found.push(before);
                if !template.may_hide(before) {
                    break;
                }
            }
            found
        }
        Some(Anchor::Start | Anchor::Control(_)) | None => Vec::new(),
    }
}
