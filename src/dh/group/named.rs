//! The primes of the well-known groups, checked by the compiler to be odd and of the right length.

use crypto_bigint::{Odd, U2048};

/// Group 14 of RFC 3526 section 3.
pub(super) const MODP_2048: Odd<U2048> = Odd::<U2048>::from_be_hex(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
     ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05\
     98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb\
     9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b\
     e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718\
     3995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff",
);

/// `ffdhe2048` of RFC 7919 appendix A.1.
pub(super) const FFDHE_2048: Odd<U2048> = Odd::<U2048>::from_be_hex(
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695\
     a9e13641146433fbcc939dce249b3ef97d2fe363630c75d8f681b202aec4617a\
     d3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935\
     984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797a\
     bc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7f4681d4f42a3de394df4\
     ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61\
     9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005\
     c58ef1837d1683b2c6f34a26c1b2effa886b423861285c97ffffffffffffffff",
);
