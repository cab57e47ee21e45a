//! What the broker remembers of a long run, and what it forgets.

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, Signer, Timestamp,
    simulator::{Broker, SeededEntropy, test_keys},
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
/// How much of each kind is remembered.
const REMEMBERED: usize = 4096;

struct Run {
    broker: Broker,
    entropy: SeededEntropy,
}

impl Run {
    fn new() -> Self {
        Self { broker: Broker::builder().strict().build().unwrap(), entropy: SeededEntropy::new(1) }
    }

    fn sign_in(&mut self) -> Signer {
        test_keys::sign_in(&mut self.broker, &mut Context::new(NOW, &mut self.entropy)).unwrap().signer()
    }

    fn tickle(&mut self, signer: &Signer) -> Request<Bytes> {
        signer.brokerage().tickle(&mut Context::new(NOW, &mut self.entropy)).unwrap().into_parts().0
    }

    fn send(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        self.broker.handle(&mut Context::new(NOW, &mut self.entropy), request)
    }
}

#[test]
fn the_newest_refusals_are_kept_and_all_are_counted() {
    let mut run = Run::new();
    for number in 1..=REMEMBERED + 1000 {
        run.send(&Request::get(format!("https://api.ibkr.com/v1/api/{number}")).body(Bytes::new()).unwrap());
    }
    let (refusals, refused) = (run.broker.refusals(), run.broker.refused());
    assert_eq!((refusals.len(), refused), (REMEMBERED, 5096));
    assert!(refusals[0].subject.ends_with("/1001") && refusals[REMEMBERED - 1].subject.ends_with("/5096"));
}

#[test]
fn the_newest_accepted_requests_and_their_nonces_are_kept() {
    let mut run = Run::new();
    let signer = run.sign_in();
    let first = run.tickle(&signer);
    assert_eq!(run.send(&first).status(), 200);
    for _ in 0..REMEMBERED {
        assert_eq!(run.send(&first).status(), 401);
        let next = run.tickle(&signer);
        assert_eq!(run.send(&next).status(), 200);
    }
    assert_eq!(run.broker.accepted().len(), REMEMBERED);
    assert!(run.broker.refusals().iter().all(|refusal| refusal.reason == "nonce_repeated"));
    assert_eq!(run.send(&first).status(), 200, "its nonce is forgotten");
}
