//! A signature allocates the header's value, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::alloc::System;

use http::{Request, header, request::Parts};
use ibkr_oauth::{Consumer, Context, Entropy, EntropyError, QueryPolicy, Secret, Signer, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let bytes = self.0.to_le_bytes();
        destination.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

fn signer(policy: QueryPolicy) -> Signer {
    let consumer = Consumer::builder("TESTCONS").query_policy(policy).build().unwrap();
    Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from([7; 20].as_slice())).unwrap()
}

/// A request with so many parameters, some of them encoded, in its query or in a form.
fn request(count: usize, is_form: bool) -> (Parts, Option<String>) {
    let pairs: Vec<String> = (0..count).map(|index| format!("p{}={index},%2C+", index * 7 % 10)).collect();
    let pairs = pairs.join("&");
    let url = "https://api.ibkr.com/v1/api/iserver/marketdata/snapshot";
    let url = if is_form { url.to_owned() } else { format!("{url}?{pairs}") };
    let media_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    let request = Request::post(url).header(header::USER_AGENT, "test").header(header::CONTENT_TYPE, media_type);
    (request.body(()).unwrap().into_parts().0, is_form.then_some(pairs))
}

/// How often `work` allocates, reallocation counted too.
fn allocations(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.allocations + change.reallocations
}

/// Not run by the test runner, whose own thread allocates meanwhile: the count is that of all threads.
fn main() {
    for policy in QueryPolicy::ALL {
        let signer = signer(policy);
        for (count, is_form) in [(0, false), (2, false), (64, false), (64, true)] {
            let (parts, form) = request(count, is_form);
            let form = form.as_ref().map(String::as_bytes);
            let mut entropy = Counter(1);
            let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut entropy);

            // The buffer that is kept for each thread grows.
            signer.sign_parts(&mut cx, &mut parts.clone(), form).unwrap();
            // Signatures differ in length, as one character or another is encoded.
            let mut most = 0;
            for _ in 0..50 {
                // Not a clone, whose headers would have no room for one more.
                let (mut head, _) = request(count, is_form);
                let allocated = allocations(|| {
                    signer.sign_parts(&mut cx, &mut head, form).unwrap();
                });
                most = most.max(allocated);
            }
            assert_eq!(most, 1, "{policy}, {count} parameters, signed");
        }
    }
}
