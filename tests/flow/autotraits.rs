//! What may cross threads, what must not, and how wide an error is.

use ibkr_oauth::{
    AccessToken, Brokerage, BrokerageStatus, Callback, Compete, Consent, Consumer, ConsumerBuilder, Context, Endpoints,
    EntropyError, Error, ErrorKind, Exchange, LiveSessionToken, Logout, OsEntropy, QueryPolicy, Secret, Signer, Stage,
    Tickle, Timestamp, TokenId, UnlockedToken, Verifier,
    dh::{DhGroup, Exponent},
    driver::{Driver, SessionHandle},
    exchange::{ParameterPlacement, PendingResponse, Unsigned},
    key::{DecryptionKey, RsaKey, RsaPublicKey, SigningInput, SigningKey},
    local::SystemContext,
    oauth1::{RequestSignature, UriError},
    simulator::{Broker, BrokerBuilder, BrokerError, Dropped, Fault, Refusal},
};

const fn shared<T: Send + Sync + Unpin + 'static>() {}
const fn sent<T: Send + Unpin + 'static>() {}
const fn cloned<T: Clone + Send + Sync + 'static>() {}
const fn an_error<T: std::error::Error + Send + Sync + 'static>() {}
fn an_object<T: ?Sized>() {}

/// Compiles only if the type does not implement the trait: otherwise `_` could be either of two.
macro_rules! is_not {
    ($type:ty: $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn ambiguous() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Implements;
            impl<T: ?Sized + $trait> Ambiguous<Implements> for T {}
            let _ = <$type as Ambiguous<_>>::ambiguous;
        };
    };
}

is_not!(Context<'static>: Send);
is_not!(Context<'static>: Sync);
is_not!(Context<'static>: Clone);
// Good for one attempt.
is_not!(Exchange<Consent>: Clone);
is_not!(PendingResponse<Consent>: Clone);
is_not!(Unsigned<Consent>: Clone);
// Nothing that holds a secret prints it by `Display`, and a secret has no order to be leaked by comparing.
is_not!(Secret: std::fmt::Display);
is_not!(Secret: PartialOrd);
is_not!(Secret: std::hash::Hash);
is_not!(LiveSessionToken: std::fmt::Display);
is_not!(SigningInput: std::fmt::Display);
is_not!(Exponent: Clone);
is_not!(TokenId: PartialOrd);

#[test]
fn all_that_a_program_keeps_may_cross_threads() {
    shared::<Exchange<Consent>>();
    shared::<Exchange<AccessToken>>();
    shared::<Exchange<LiveSessionToken>>();
    shared::<Exchange<BrokerageStatus>>();
    shared::<Exchange<Tickle>>();
    shared::<Exchange<Logout>>();
    shared::<PendingResponse<LiveSessionToken>>();
    shared::<Unsigned<LiveSessionToken>>();
    shared::<Brokerage<'static>>();
    shared::<Exponent>();
    shared::<SigningInput>();
    shared::<Box<dyn SigningKey>>();
    shared::<Box<dyn DecryptionKey>>();
    shared::<Broker>();
    shared::<BrokerBuilder>();
    shared::<OsEntropy>();
    // It is moved to where it runs, and stays there.
    sent::<Driver<OsEntropy>>();
    sent::<SystemContext>();
}

#[test]
fn values_may_be_cloned_and_shared() {
    cloned::<Consumer>();
    cloned::<ConsumerBuilder>();
    cloned::<SessionHandle>();
    cloned::<Endpoints>();
    cloned::<ParameterPlacement>();
    cloned::<Callback<'static>>();
    cloned::<Consent>();
    cloned::<Verifier>();
    cloned::<AccessToken>();
    cloned::<UnlockedToken>();
    cloned::<LiveSessionToken>();
    cloned::<Signer>();
    cloned::<RequestSignature>();
    cloned::<TokenId>();
    cloned::<Secret>();
    cloned::<Timestamp>();
    cloned::<BrokerageStatus>();
    cloned::<Tickle>();
    cloned::<Logout>();
    cloned::<Compete>();
    cloned::<ErrorKind>();
    cloned::<Stage>();
    cloned::<RsaKey>();
    cloned::<RsaPublicKey>();
    cloned::<DhGroup>();
    cloned::<QueryPolicy>();
    cloned::<Fault>();
    cloned::<Dropped>();
}

#[test]
fn errors_are_errors_and_one_word_wide() {
    an_error::<Error>();
    an_error::<EntropyError>();
    an_error::<UriError>();
    an_error::<BrokerError>();
    an_error::<Refusal>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

#[test]
fn the_traits_make_objects() {
    an_object::<dyn SigningKey>();
    an_object::<dyn DecryptionKey>();
    an_object::<dyn ibkr_oauth::Entropy>();
}
