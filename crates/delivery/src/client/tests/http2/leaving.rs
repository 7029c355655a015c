//! Receivers that go away, refuse, fall silent, or take few requests at a time.

use std::sync::Mutex;

use super::{
    frames::{
        ACK, Frames, MAX_CONCURRENT_STREAMS, PING, frame, go_away, ok, reset, settings as ours,
    },
    *,
};

/// Longest wait for what comes at once.
const SOON: Duration = Duration::from_secs(10);

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const HTTP_1_1_REQUIRED: u32 = 13;

/// A receiver that does with the frames of each connection what it is told.
async fn by_hand<F>(
    authority: &Authority,
    settings: &[(u8, u32)],
    serve: impl Fn(usize, Frames<Stream>) -> F + Clone + Send + Sync + 'static,
) -> Receiver
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let settings = ours(settings);
    receiver_of(authority.config(None), &[b"h2"], move |number, stream| {
        let (serve, settings) = (serve.clone(), settings.clone());
        async move { serve(number, Frames::open(stream, &settings).await?).await }
    })
    .await
}

/// Answers every request that comes.
async fn answer_all(mut frames: Frames<Stream>) -> io::Result<()> {
    loop {
        let stream = frames.request().await?;
        frames.send(&ok(stream)).await?;
    }
}

#[tokio::test]
async fn what_the_receiver_says_it_has_not_looked_at_is_sent_again_and_nothing_else() {
    for (code, answers_second) in [(NO_ERROR, true), (INTERNAL_ERROR, true), (NO_ERROR, false)] {
        let authority = Authority::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = seen.clone();
        let mut receiver = by_hand(&authority, &[], move |number, mut frames| {
            let seen = told.clone();
            async move {
                let mut streams = Vec::new();
                for _ in 0..if number == 0 { 3 } else { 1 } {
                    streams.push(frames.request().await?);
                    seen.lock().unwrap().push(number);
                }
                frames.send(&ok(streams[0])).await?;
                if number == 0 {
                    frames.send(&go_away(streams[1], code)).await?;
                    if answers_second {
                        frames.send(&ok(streams[1])).await?;
                    }
                }
                frames.0.shutdown().await
            }
        })
        .await;
        let answers = post_many(&patient(), &target(&receiver, 1), &by_http2(&authority), 3).await;
        let broken: Vec<_> = answers
            .iter()
            .filter(|answer| answer.outcome != Outcome::Delivered)
            .map(|answer| (answer.outcome, answer.error.as_str(), answer.sent))
            .collect();
        let expected = [(
            Outcome::Broken,
            "the receiver closed the connection before its answer was whole",
            true,
        )];
        let expected = if answers_second { &[][..] } else { &expected };
        assert_eq!(broken, expected, "{code}");
        assert_eq!(*seen.lock().unwrap(), [0, 0, 0, 1], "{code}");
        assert_eq!(receiver.connections(), 2);
    }
}

#[tokio::test]
async fn a_refused_request_is_sent_on_another_connection_and_what_was_on_the_first_goes_on() {
    let authority = Authority::new();
    let mut receiver = by_hand(&authority, &[], |number, mut frames| async move {
        if number > 0 {
            return answer_all(frames).await;
        }
        let (first, second) = (frames.request().await?, frames.request().await?);
        frames.send(&reset(second, REFUSED_STREAM)).await?;
        frames.send(&ok(first)).await?;
        frames.drain().await
    })
    .await;
    let (client, style) = (patient(), by_http2(&authority));
    all_delivered(&post_many(&client, &target(&receiver, 1), &style, 2).await);
    all_delivered(&post_many(&client, &target(&receiver, 1), &style, 2).await);
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_receiver_that_refuses_for_ever_is_a_failed_attempt() {
    let authority = Authority::new();
    let mut receiver = by_hand(&authority, &[], |_, mut frames| async move {
        loop {
            let stream = frames.request().await?;
            frames.send(&reset(stream, REFUSED_STREAM)).await?;
        }
    })
    .await;
    let answer = post_as(&patient(), &target(&receiver, 1), &by_http2(&authority)).await;
    assert_eq!((answer.outcome, answer.sent), (Outcome::Broken, true));
    assert_eq!(
        answer.error,
        "the receiver turned the request away 3 times before it had looked at it (REFUSED_STREAM or GOAWAY)"
    );
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn a_receiver_that_wants_http_1_is_told_of_with_what_to_do() {
    let authority = Authority::new();
    let receiver = by_hand(&authority, &[], |_, mut frames| async move {
        let stream = frames.request().await?;
        frames.send(&reset(stream, HTTP_1_1_REQUIRED)).await?;
        frames.drain().await
    })
    .await;
    let answer = post_as(&patient(), &target(&receiver, 1), &by_http2(&authority)).await;
    assert_eq!(
        answer.error,
        "the receiver wants HTTP/1.1 for this (HTTP_1_1_REQUIRED): set httpVersion to 1.1"
    );
}

#[tokio::test]
async fn a_receiver_of_few_requests_at_a_time_gets_more_connections() {
    let authority = Authority::new();
    let settings = [(MAX_CONCURRENT_STREAMS, 2)];
    let all_there = Arc::new(Barrier::new(3));
    let mut receiver = by_hand(&authority, &settings, move |_, mut frames| {
        let all_there = all_there.clone();
        async move {
            loop {
                // Each waits for the third connection: no more than two requests are on any.
                let (first, second) = (frames.request().await?, frames.request().await?);
                all_there.wait().await;
                frames.send(&ok(first)).await?;
                frames.send(&ok(second)).await?;
            }
        }
    })
    .await;
    let (client, style) = (patient(), by_http2(&authority));
    for _ in 0..3 {
        all_delivered(&post_many(&client, &target(&receiver, 1), &style, 6).await);
    }
    assert_eq!(receiver.connections(), 3);
}

#[tokio::test]
async fn a_receiver_of_no_requests_is_told_of_and_nothing_is_sent() {
    let authority = Authority::new();
    let settings = [(MAX_CONCURRENT_STREAMS, 0)];
    let mut receiver = by_hand(&authority, &settings, |_, mut frames| async move {
        frames.drain().await
    })
    .await;
    let (client, style) = (patient(), by_http2(&authority));
    for answer in post_many(&client, &target(&receiver, 1), &style, 5).await {
        assert_eq!((answer.outcome, answer.sent), (Outcome::Broken, false));
        assert_eq!(
            answer.error,
            "the receiver takes no requests on its HTTP/2 connection (MAX_CONCURRENT_STREAMS is 0)"
        );
    }
    // Tried once, for all who waited.
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_receiver_that_takes_no_more_of_a_connection_gets_another_in_its_place() {
    let authority = Authority::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut receiver = by_hand(&authority, &[], move |number, mut frames| {
        let tell = tell.clone();
        async move {
            let stream = frames.request().await?;
            frames.send(&ours(&[(MAX_CONCURRENT_STREAMS, 0)])).await?;
            frames.send(&ok(stream)).await?;
            let ended = frames.drain().await;
            tell.send(number).unwrap();
            ended
        }
    })
    .await;
    let (client, style) = (patient(), by_http2(&authority));
    for _ in 0..5 {
        all_delivered(&post_many(&client, &target(&receiver, 1), &style, 1).await);
    }
    assert_eq!(receiver.connections(), 5);
    let mut ended = Vec::new();
    while ended.len() < 4 {
        let next = time::timeout(SOON, told.recv()).await;
        ended.push(next.expect("it does not stay open").unwrap());
    }
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_receiver_that_ends_every_connection_at_once_is_not_connected_to_without_end() {
    let authority = Authority::new();
    let mut receiver = by_hand(&authority, &[], |_, mut frames| async move {
        loop {
            let next = frames.read().await?;
            if next.kind == PING {
                let pong = frame(PING, ACK, 0, &next.payload);
                frames.send(&[pong, go_away(0, NO_ERROR)].concat()).await?;
            }
        }
    })
    .await;
    let (client, style) = (patient(), by_http2(&authority));
    for _ in 0..2 {
        let answer = post_as(&client, &target(&receiver, 1), &style).await;
        // By whether the request was on its way already.
        let early = "the receiver closed the connection before HTTP/2 could be spoken on it";
        let late = "the receiver turned the request away 3 times";
        assert_eq!(answer.outcome, Outcome::Broken);
        assert!(
            answer.error == early || answer.error.starts_with(late),
            "{}",
            answer.error
        );
        assert!((1..=3).contains(&receiver.connections()));
    }
}

#[tokio::test]
async fn a_receiver_that_says_nothing_costs_the_time_for_connecting_once_for_all_who_wait() {
    let authority = Authority::new();
    let mut receiver = receiver_of(
        authority.config(None),
        &[b"h2"],
        |_, mut stream| async move {
            stream.read_to_end(&mut Vec::new()).await?;
            Ok(())
        },
    )
    .await;
    let settings = DeliverySettings {
        connect_timeout: Duration::from_millis(200),
        ..settings()
    };
    let client = client_with(&settings, &["127.0.0.0/8"], localhost());
    let style = by_http2(&authority);
    for answer in post_many(&client, &target(&receiver, 1), &style, 5).await {
        assert_eq!((answer.outcome, answer.sent), (Outcome::TimedOut, false));
        assert_eq!(
            answer.error,
            "no connection within 200ms: the receiver did not begin with HTTP/2"
        );
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn the_time_of_a_request_holds_while_a_connection_is_opened() {
    let authority = Authority::new();
    let receiver = receiver_of(
        authority.config(None),
        &[b"h2"],
        |_, mut stream| async move {
            stream.read_to_end(&mut Vec::new()).await?;
            Ok(())
        },
    )
    .await;
    let client = quick(Duration::from_millis(100));
    let answer = post_as(&client, &target(&receiver, 1), &by_http2(&authority)).await;
    assert_eq!((answer.outcome, answer.sent), (Outcome::TimedOut, false));
    assert_eq!(
        answer.error,
        "no HTTP/2 connection had room for the request within 100ms"
    );
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_noticed_before_the_time_of_its_requests_is_over() {
    let authority = Authority::new();
    let mut receiver = by_hand(&authority, &[], |_, mut frames| async move {
        frames.request().await?;
        // Open, and nothing is answered any more.
        loop {
            frames.read().await?;
        }
    })
    .await;
    let mut client = patient();
    client.limits.http2.ping_every = Duration::from_millis(20);
    client.limits.http2.ping_within = Duration::from_millis(50);
    let style = by_http2(&authority);
    for answer in post_many(&client, &target(&receiver, 1), &style, 3).await {
        assert_eq!((answer.outcome, answer.sent), (Outcome::Broken, true));
        assert_eq!(
            answer.error,
            "the connection was lost: the receiver did not answer a PING within 50ms"
        );
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_without_requests_ends_after_its_time_and_one_with_a_request_does_not() {
    let authority = Authority::new();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut receiver = by_hand(&authority, &[], move |number, mut frames| {
        let tell = tell.clone();
        async move {
            let mut streams = vec![frames.request().await?];
            if number > 0 {
                // Longer than the first one was idle, to its end.
                answer_pings(&mut frames, 4).await?;
                tell.send(None).unwrap();
                streams.push(frames.request().await?);
            }
            for stream in streams {
                frames.send(&ok(stream)).await?;
            }
            let ended = frames.drain().await.unwrap_err();
            tell.send(Some(ended.kind())).unwrap();
            Ok(())
        }
    })
    .await;
    let mut client = patient();
    client.limits.http2.idle = Duration::from_millis(50);
    let (target, style) = (target(&receiver, 1), by_http2(&authority));
    let mut next = async || {
        let next = time::timeout(SOON, told.recv()).await;
        next.expect("something happens").unwrap()
    };
    all_delivered(&[post_as(&client, &target, &style).await]);
    assert_eq!(next().await, Some(io::ErrorKind::UnexpectedEof));
    let first = post_as(&client, &target, &style);
    let second = async {
        assert_eq!(next().await, None);
        post_as(&client, &target, &style).await
    };
    let (first, second) = tokio::join!(first, second);
    all_delivered(&[first, second]);
    assert_eq!(next().await, Some(io::ErrorKind::UnexpectedEof));
    assert_eq!(receiver.connections(), 2);
}

/// Answers so many pings, which come as often as an idle connection has time.
async fn answer_pings(frames: &mut Frames<Stream>, mut many: usize) -> io::Result<()> {
    while many > 0 {
        let next = frames.read().await?;
        if next.kind == PING {
            many -= 1;
            frames.send(&frame(PING, ACK, 0, &next.payload)).await?;
        }
    }
    Ok(())
}
