//! Receivers by HTTP/2 that mean no good: floods, bombs, and what is no HTTP/2.

use super::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, Frames, HEADERS, PING, SETTINGS, STATUS_200, frame, ok,
        read, settings as ours,
    },
    *,
};

/// A receiver that says `more` without end once it has a request, whatever is said to it meanwhile; tells when nobody
/// listens any more.
async fn without_end(first: Vec<u8>, more: Vec<u8>) -> (Answer, Answer) {
    let authority = Authority::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let receiver = receiver_of(authority.config(None), &[b"h2"], move |number, stream| {
        let (first, more, tell) = (first.clone(), more.repeat(64), tell.clone());
        async move {
            let mut frames = Frames::open(stream, &ours(&[])).await?;
            let stream = frames.request().await?;
            if number > 0 {
                return frames.send(&ok(stream)).await;
            }
            let (mut from, mut to) = tokio::io::split(frames.0);
            let listening = tokio::spawn(async move { while read(&mut from).await.is_ok() {} });
            to.write_all(&first).await?;
            while to.write_all(&more).await.is_ok() && to.flush().await.is_ok() {}
            listening.abort();
            tell.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    let (client, target) = (patient(), target(&receiver, 1));
    let answer = post_as(&client, &target, &by_http2(&authority)).await;
    told.recv().await.unwrap();
    // What was lost was that connection alone.
    let next = post_as(&client, &target, &by_http2(&authority)).await;
    (answer, next)
}

#[tokio::test]
async fn what_has_no_end_around_an_answer_is_left() {
    let padded = [&[8, 1][..], &[0; 8]].concat();
    let head = frame(HEADERS, END_HEADERS, 1, &[STATUS_200]);
    // `:status: 103`, not indexed, and its name from the table.
    let early = [&[0x08, 0x03][..], b"103"].concat();
    let too_much = "the receiver sent more than 512 KiB in answer to one request";
    for (kind, first, more, status, expected) in [
        ("PING", vec![], frame(PING, 0, 0, &[7; 8]), None, too_much),
        (
            "SETTINGS",
            vec![],
            frame(SETTINGS, 0, 0, &[]),
            None,
            too_much,
        ),
        (
            "1xx",
            vec![],
            frame(HEADERS, END_HEADERS, 1, &early),
            None,
            too_much,
        ),
        (
            "unknown",
            vec![],
            frame(0xbe, 0, 0, &[7; 100]),
            None,
            too_much,
        ),
        (
            "padding",
            head,
            frame(DATA, 8, 1, &padded),
            Some(200),
            "the receiver sent more around its answers than is taken: connection error detected: detected excessive load generating behavior (b\"too_many_data_frames\")",
        ),
    ] {
        let (answer, next) = without_end(first, more).await;
        assert_eq!(
            (answer.outcome, answer.status),
            (Outcome::Broken, status),
            "{kind}: {}",
            answer.error
        );
        assert_eq!(answer.error, expected, "{kind}");
        assert_eq!(next.outcome, Outcome::Delivered, "{kind}: {}", next.error);
    }
}

#[tokio::test]
async fn a_head_without_end_is_left() {
    let first = frame(HEADERS, 0, 1, &[STATUS_200]);
    for more in [&b""[..], b"\x00"] {
        let (answer, next) = without_end(first.clone(), frame(CONTINUATION, 0, 1, more)).await;
        assert_eq!(answer.outcome, Outcome::Broken);
        assert!(
            answer.error.ends_with("(b\"too_many_continuations\")"),
            "{}",
            answer.error
        );
        assert_eq!(next.outcome, Outcome::Delivered, "{}", next.error);
    }
}

#[tokio::test]
async fn a_head_that_unfolds_to_more_than_is_taken_fails_its_request_and_to_far_more_its_connection()
 {
    for (times, failed, expected) in [
        (
            20,
            1,
            "the answer breaks the rules of HTTP/2, or its head is larger than 64 KiB (PROTOCOL_ERROR)",
        ),
        (
            10_000,
            2,
            "the receiver sent more around its answers than is taken: ",
        ),
    ] {
        let authority = Authority::new();
        let mut receiver = receiver_of(
            authority.config(None),
            &[b"h2"],
            move |_, stream| async move {
                let mut frames = Frames::open(stream, &ours(&[])).await?;
                let (first, second) = (frames.request().await?, frames.request().await?);
                // `x: aaa…` of 4,000 bytes, kept in the table, and then named with one byte so many times.
                let mut bomb = vec![STATUS_200, 0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
                bomb.extend([b'a'; 4000]);
                bomb.resize(bomb.len() + times, 0xbe);
                frames
                    .send(&frame(HEADERS, END_HEADERS, first, &bomb))
                    .await?;
                frames.send(&ok(second)).await?;
                frames.drain().await
            },
        )
        .await;
        let (client, style) = (patient(), by_http2(&authority));
        let answers = post_many(&client, &target(&receiver, 1), &style, 2).await;
        let broken = answers
            .iter()
            .filter(|answer| answer.outcome == Outcome::Broken);
        let broken: Vec<_> = broken.map(|answer| answer.error.as_str()).collect();
        assert_eq!(broken.len(), failed, "{answers:?}");
        assert!(
            broken.iter().all(|error| error.starts_with(expected)),
            "{broken:?}"
        );
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn what_is_no_http_2_is_told_in_words() {
    for (said, closes, expected) in [
        (
            &OK.as_bytes().repeat(20)[..],
            false,
            "what came back is not HTTP/2: ",
        ),
        (
            &frame(PING, 0, 7, &[0; 8])[..],
            false,
            "what came back is not HTTP/2: ",
        ),
        (
            b"",
            true,
            "the receiver closed the connection before HTTP/2 could be spoken on it",
        ),
    ] {
        let authority = Authority::new();
        let said: Arc<[u8]> = said.into();
        let receiver = receiver_of(authority.config(None), &[b"h2"], move |_, mut stream| {
            let said = said.clone();
            async move {
                stream.write_all(&said).await?;
                if closes {
                    return stream.shutdown().await;
                }
                stream.read_to_end(&mut Vec::new()).await.map(|_| ())
            }
        })
        .await;
        let answer = post_as(&patient(), &target(&receiver, 1), &by_http2(&authority)).await;
        assert_eq!((answer.outcome, answer.sent), (Outcome::Broken, false));
        assert!(answer.error.starts_with(expected), "{}", answer.error);
    }
}
