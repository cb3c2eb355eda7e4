//! The service and the transport together.

use std::task::Poll;

use futures::FutureExt;

use super::*;
use crate::interactions::grpc::generated::interaction_service_client::InteractionServiceClient;
use crate::interactions::grpc::pack;
use crate::interactions::outgoing::Outgoing;
use crate::interactions::testing::{LIMIT, intake, record, records, sent, stored, until};
use crate::interactions::transport::grpc::{Grpc, GrpcOptions};
use crate::interactions::transport::{Transport, Trouble, Verdict};
use secrecy::ExposeSecret;

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), String>>,
    counts: Arc<Counts>,
}

async fn run(address: &str, intake: &Arc<Intake>) -> Running {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, counts) = (CancellationToken::new(), Arc::new(Counts::default()));
    let service = Service { intake: Arc::clone(intake), counts: Arc::clone(&counts), is_open: true, stop: stop.clone() };
    Running { address, stop, task: tokio::spawn(serve(listener, None, service)), counts }
}

impl Running {
    fn transport(&self, key: Option<&str>) -> Grpc {
        let key = key.map(|key| key.to_owned().into());
        Grpc::new(GrpcOptions { url: format!("http://{}", self.address), ca: None, key, timeout: LIMIT })
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_answered_is_stored_each_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let running = run("127.0.0.1:0", &intake).await;
    let transport = running.transport(None);
    transport.probe().await.unwrap();
    for from in (0..3_000).step_by(100) {
        assert_eq!(transport.send(&sent(from..from + 100)).await.unwrap(), vec![Verdict::Stored; 100]);
    }
    // Several at once on the same stream, and what is there already.
    let (one, other, again) = (sent(3_000..3_100), sent(3_100..3_200), sent(0..100));
    let sent = tokio::join!(transport.send(&one), transport.send(&other), transport.send(&again));
    for verdicts in [sent.0, sent.1, sent.2] {
        assert_eq!(verdicts.unwrap(), vec![Verdict::Stored; 100]);
    }
    let ids = stored(&intake).await;
    assert_eq!((ids.len(), &ids[..3_000]), (3_200, &(0..3_000).map(|number| record(number).record_id.to_string()).collect::<Vec<_>>()[..]));
    assert_eq!(running.counts.now(), (3_300, 3_200, 0, 0));
    running.end().await;
}

/// Messages one by one, each before a task that has used up its time: what it begins then has to be begun again.
fn messages_of_a_busy_task(mut messages: Vec<InteractionData>) -> impl Stream<Item = Result<InteractionData, Status>> {
    messages.reverse();
    let mut pause = false;
    futures::stream::poll_fn(move |context| {
        while tokio::task::coop::has_budget_remaining() {
            let _used = Box::pin(tokio::task::coop::consume_budget()).poll_unpin(context);
        }
        pause = !pause;
        if pause {
            return Poll::Ready(messages.pop().map(Ok));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

#[tokio::test]
async fn a_busy_coordinator_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let way = Way { intake: Arc::clone(&intake), counts: Arc::default(), access: Access::All };
    let (answers, mut given) = mpsc::channel(ANSWERS);
    let messages = sent(0..40).iter().map(pack).collect();
    tokio::time::timeout(LIMIT, way.run(messages_of_a_busy_task(messages), &answers)).await.unwrap();
    drop(answers);
    let in_order: Vec<_> = (0..40).map(|number| record(number).record_id.to_string()).collect();
    assert_eq!(stored(&intake).await, in_order);
    for id in in_order {
        assert_eq!(given.recv().await.unwrap().unwrap().record_id, id);
    }
}

#[tokio::test]
async fn one_bad_record_is_refused_and_the_others_stored() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let running = run("127.0.0.1:0", &intake).await;
    let transport = running.transport(None);
    let mut three = records(0..3);
    three[1].mcp_id = "x".repeat(500);
    let verdicts = transport.send(&three.iter().map(Outgoing::from).collect::<Vec<_>>()).await.unwrap();
    assert_eq!((&verdicts[0], &verdicts[2]), (&Verdict::Stored, &Verdict::Stored));
    assert!(matches!(&verdicts[1], Verdict::Refused { code: 422, message } if message.contains("`mcp_id`")), "{verdicts:?}");
    assert_eq!((stored(&intake).await.len(), running.counts.now().2), (2, 1));
    running.end().await;
}

#[tokio::test]
async fn keys_open_their_own_only() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let (mine, other) = (intake.add_key("me").await.unwrap(), intake.add_key("other").await.unwrap());
    let running = run("127.0.0.1:0", &intake).await;
    for key in [None, Some("wk_wrong")] {
        let trouble = running.transport(key).probe().await.unwrap_err();
        assert!(matches!(trouble, Trouble::Key(_)), "{trouble:?}");
    }
    let transport = running.transport(Some(mine.key.expose_secret()));
    transport.probe().await.unwrap();
    assert_eq!(transport.send(&sent(0..2)).await.unwrap(), [Verdict::Stored, Verdict::Stored]);
    let trouble = running.transport(Some(other.key.expose_secret())).send(&sent(2..3)).await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Key(text) if text.contains("`other`")), "{trouble:?}");
    assert_eq!(stored(&intake).await.len(), 2);
    running.end().await;
}

#[tokio::test]
async fn a_coordinator_that_ends_and_comes_back_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let running = run("127.0.0.1:0", &intake).await;
    let (transport, address) = (running.transport(None), running.address);
    assert_eq!(transport.send(&sent(0..1)).await.unwrap(), [Verdict::Stored]);
    running.end().await;
    let trouble = transport.send(&sent(1..2)).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Unreachable(_)), "{trouble:?}");
    let again = run(&address.to_string(), &intake).await;
    until("it is found", async || transport.send(&sent(1..2)).await.is_ok()).await;
    assert_eq!(stored(&intake).await.len(), 2);
    again.end().await;
}

#[tokio::test]
async fn what_never_fits_into_the_queue_ends_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(crate::domain::clock::ManualClock::starting_at(crate::domain::clock::Instant::from_millis(0)));
    let place = crate::interactions::intake::Place::File(folder.path().join("records.db"));
    // No record fits.
    let intake = Arc::new(Intake::new(place, 1, clock));
    let running = run("127.0.0.1:0", &intake).await;
    let mut long = records(0..50);
    long.iter_mut().for_each(|record| drop(record.payload.insert("text".to_owned(), "x".repeat(3_000).into())));
    let trouble = running.transport(None).send(&long.iter().map(Outgoing::from).collect::<Vec<_>>()).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Busy { .. }), "{trouble:?}");
    running.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_costs_a_bounded_queue() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path());
    let running = run("127.0.0.1:0", &intake).await;
    let mut client = InteractionServiceClient::connect(format!("http://{}", running.address)).await.unwrap();
    let (sender, queue) = mpsc::channel(1);
    let answers = client.stream_interactions(ReceiverStream::new(queue)).await.unwrap();
    let sending = async {
        for number in 0..2_000 {
            sender.send(pack(&Outgoing::from(&record(number)))).await.unwrap();
        }
    };
    tokio::time::timeout(LIMIT, sending).await.unwrap();
    until("all are stored", async || stored(&intake).await.len() == 2_000).await;
    drop((answers, sender));
    running.end().await;
}
