//! Every way in which a piece of DER can be written badly, tried on each of its elements.

use super::der::{BIT_STRING, INTEGER, NULL, OCTET_STRING, SEQUENCE, open, tlv};

/// A piece of DER that is not quite the one that it was made from.
pub(crate) struct Variant {
    /// What was done, and to which element.
    pub(crate) what: String,
    pub(crate) der: Vec<u8>,
    /// Whether it is still well-formed DER, with the content of a single INTEGER changed.
    pub(crate) is_other_number: bool,
    /// Which element was changed, counted in the order in which they end.
    pub(crate) index: usize,
}

struct Element {
    tag: u8,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    /// Bytes before other elements: of a BIT STRING the number of unused bits.
    Elements(Vec<u8>, Vec<Element>),
}

/// Whether there is DER within: in a SEQUENCE always, and in a key that is packed into bytes or bits.
fn holds_elements(tag: u8, content: &[u8]) -> bool {
    match tag {
        SEQUENCE => true,
        OCTET_STRING => content.first() == Some(&SEQUENCE),
        BIT_STRING => content.get(1) == Some(&SEQUENCE),
        _ => false,
    }
}

impl Element {
    fn read_all(mut der: &[u8]) -> Vec<Self> {
        let mut elements = Vec::new();
        while let Some(tag) = der.first().copied() {
            let (content, rest) = open(der);
            der = rest;
            let prefix = usize::from(tag == BIT_STRING);
            let content = if holds_elements(tag, content) {
                Content::Elements(content[..prefix].to_vec(), Self::read_all(&content[prefix..]))
            } else {
                Content::Bytes(content.to_vec())
            };
            elements.push(Self { tag, content });
        }
        elements
    }

    fn content(&self, change: &mut impl FnMut(u8, &[u8], &[u8]) -> Vec<u8>) -> Vec<u8> {
        match &self.content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Elements(prefix, elements) => {
                let inner = elements.iter().flat_map(|element| element.write(change));
                prefix.iter().copied().chain(inner).collect()
            }
        }
    }

    /// Writes the element, or what `change` makes of its tag, its content and its own encoding.
    fn write(&self, change: &mut impl FnMut(u8, &[u8], &[u8]) -> Vec<u8>) -> Vec<u8> {
        let content = self.content(change);
        change(self.tag, &content, &tlv(self.tag, &content))
    }
}

/// Is given the element's place as well.
type Rewrite<'a> = dyn FnMut(usize, u8, &[u8], &[u8]) -> Vec<u8> + 'a;
/// Is given the tag, the content and the encoding of both, and returns another encoding.
type Change = fn(u8, &[u8], &[u8]) -> Vec<u8>;

fn with_length(tag: u8, length: &[u8], content: &[u8]) -> Vec<u8> {
    [&[tag], length, content].concat()
}

/// The length in so many bytes, whether it needs them or not.
fn length(of: usize, bytes: usize) -> Vec<u8> {
    let all = u64::try_from(of).unwrap().to_be_bytes();
    let zeros = vec![0; bytes.saturating_sub(all.len())];
    let head = 0x80 | u8::try_from(bytes).unwrap();
    [&[head], zeros.as_slice(), &all[all.len().saturating_sub(bytes)..]].concat()
}

/// The shortest length, plus or minus something.
fn wrong_length(tag: u8, of: usize, content: &[u8]) -> Vec<u8> {
    let correct = tlv(tag, &vec![0; of]);
    with_length(tag, &correct[1..correct.len() - of], content)
}

/// How many bytes the shortest form of the length takes behind the first.
fn needed(content: &[u8]) -> usize {
    tlv(0, content).len() - content.len() - 2
}

const FORMS: [(&str, Change); 34] = [
    ("a length that is one byte too long", |tag, content, _| {
        with_length(tag, &length(content.len(), needed(content) + 1), content)
    }),
    ("a length in five bytes", |tag, content, _| with_length(tag, &length(content.len(), 5), content)),
    ("a length in nine bytes", |tag, content, _| with_length(tag, &length(content.len(), 9), content)),
    ("a length in 126 bytes", |tag, content, _| with_length(tag, &length(content.len(), 126), content)),
    ("a length that wraps around 32 bits", |tag, content, _| {
        with_length(tag, &length((1 << 32) + content.len(), 5), content)
    }),
    ("a length that wraps around 64 bits", |tag, content, _| {
        let length = length(content.len(), 9);
        with_length(tag, &[&[length[0], 1], &length[2..]].concat(), content)
    }),
    ("a length of 2^31 - 1", |tag, content, _| with_length(tag, &length((1 << 31) - 1, 4), content)),
    ("a length of 2^32 - 1", |tag, content, _| with_length(tag, &length((1 << 32) - 1, 4), content)),
    ("a length of 2^40 - 1", |tag, content, _| with_length(tag, &length((1 << 40) - 1, 5), content)),
    ("a length of 2^64 - 1", |tag, content, _| {
        with_length(tag, &[0x88, 255, 255, 255, 255, 255, 255, 255, 255], content)
    }),
    ("the reserved length", |tag, content, _| with_length(tag, &[0xff], content)),
    ("an indefinite length", |tag, content, _| with_length(tag, &[0x80], &[content, &[0, 0]].concat())),
    ("an indefinite length, constructed", |tag, content, encoding| {
        let inner = if tag & 0x20 == 0 { encoding } else { content };
        with_length(tag | 0x20, &[0x80], &[inner, &[0, 0]].concat())
    }),
    ("an indefinite length without an end", |tag, content, _| with_length(tag, &[0x80], content)),
    ("a length that is one too large", |tag, content, _| wrong_length(tag, content.len() + 1, content)),
    ("a length that is one too small", |tag, content, _| wrong_length(tag, content.len().saturating_sub(1), content)),
    ("another class", |tag, content, _| tlv(tag ^ 0x80, content)),
    ("an application's tag", |tag, content, _| tlv(tag ^ 0x40, content)),
    ("the other construction", |tag, content, _| tlv(tag ^ 0x20, content)),
    ("the next tag", |tag, content, _| tlv(tag ^ 1, content)),
    ("the tag 0", |_, content, _| tlv(0, content)),
    ("the tag 255", |_, content, _| tlv(0xff, content)),
    ("a long tag", |tag, content, _| [&[tag | 0x1f], tlv(tag & 0x1f, content).as_slice()].concat()),
    ("its tag alone", |tag, _, _| vec![tag]),
    ("its tag and its length alone", |_, content, encoding| encoding[..encoding.len() - content.len()].to_vec()),
    ("nothing in its place", |_, _, _| Vec::new()),
    ("itself twice", |_, _, encoding| encoding.repeat(2)),
    ("a NULL before it", |_, _, encoding| [NULL, encoding].concat()),
    ("a NULL behind it", |_, _, encoding| [encoding, NULL].concat()),
    ("an empty SEQUENCE behind it", |_, _, encoding| [encoding, &[SEQUENCE, 0]].concat()),
    ("zeros behind it", |_, _, encoding| [encoding, &[0, 0]].concat()),
    ("an unknown element behind it", |_, _, encoding| [encoding, b"\xaa\x02\xbb\x00"].concat()),
    ("a SEQUENCE around it", |_, _, encoding| tlv(SEQUENCE, encoding)),
    ("parts, each by itself", |tag, content, _| {
        let (first, second) = content.split_at(content.len() / 2);
        tlv(tag | 0x20, &[tlv(tag & !0x20, first), tlv(tag & !0x20, second)].concat())
    }),
];

type OtherContent = fn(&[u8]) -> Vec<u8>;

/// Those make another content of an element that holds no others.
const CONTENTS: [(&str, OtherContent); 9] = [
    ("no content", |_| Vec::new()),
    ("a zero in front of its content", |content| [&[0], content].concat()),
    ("0xff in front of its content", |content| [&[0xff], content].concat()),
    ("a zero behind its content", |content| [content, &[0]].concat()),
    ("its last byte cut", |content| content[..content.len().saturating_sub(1)].to_vec()),
    ("its first byte cut", |content| content.get(1..).unwrap_or_default().to_vec()),
    ("its first bit changed", |content| changed(content, 0, 0x80)),
    ("its first byte changed", |content| changed(content, 0, 1)),
    ("its last byte changed", |content| changed(content, content.len().saturating_sub(1), 1)),
];

fn changed(content: &[u8], index: usize, bits: u8) -> Vec<u8> {
    let mut content = content.to_vec();
    content.iter_mut().skip(index).take(1).for_each(|byte| *byte ^= bits);
    content
}

fn is_shortest(number: &[u8]) -> bool {
    match number {
        [] => false,
        [0, second, ..] => *second >= 0x80,
        [0xff, second, ..] => *second < 0x80,
        _ => true,
    }
}

/// Every element of `der` in every bad form, one after the other; never `der` itself.
pub(crate) fn of(der: &[u8]) -> Vec<Variant> {
    let elements = Element::read_all(der);
    let rewritten = |change: &mut Rewrite<'_>| -> Vec<u8> {
        let mut index = 0;
        let mut visit = |tag: u8, content: &[u8], encoding: &[u8]| {
            index += 1;
            change(index - 1, tag, content, encoding)
        };
        elements.iter().flat_map(|element| element.write(&mut visit)).collect()
    };
    let mut tags = Vec::new();
    rewritten(&mut |_, tag, content, encoding| {
        tags.push((tag, holds_elements(tag, content)));
        encoding.to_vec()
    });

    let mut variants = Vec::new();
    for (index, (tag, holds_elements)) in tags.iter().enumerate() {
        let mut add = |what: &str, der: Vec<u8>, is_other_number: bool| {
            let what = format!("element {index} ({tag:02x}) has {what}");
            variants.push(Variant { what, der, is_other_number, index });
        };
        for (what, change) in FORMS {
            let der = rewritten(&mut |place, tag, content, encoding| {
                if place == index { change(tag, content, encoding) } else { encoding.to_vec() }
            });
            add(what, der, false);
        }
        // Of what holds others, those are changed by themselves.
        for (what, change) in CONTENTS.iter().filter(|_| !holds_elements) {
            let mut is_other_number = false;
            let der = rewritten(&mut |place, tag, content, encoding| {
                if place != index {
                    return encoding.to_vec();
                }
                let other = change(content);
                is_other_number = tag == INTEGER && is_shortest(&other);
                tlv(tag, &other)
            });
            add(what, der, is_other_number);
        }
    }
    variants.retain(|variant| variant.der != der);
    variants
}

#[test]
fn the_variants_are_all_different_from_a_good_one() {
    let good = tlv(SEQUENCE, &[tlv(INTEGER, &[1]), tlv(OCTET_STRING, &[7; 3])].concat());
    let variants = of(&good);
    assert!(variants.len() > 100, "{}", variants.len());
    assert!(variants.iter().all(|variant| variant.der != good));
    assert!(variants.iter().any(|variant| variant.is_other_number && variant.index == 0));
    let cut = variants.iter().find(|variant| variant.what == "element 0 (02) has nothing in its place").unwrap();
    assert_eq!(cut.der, tlv(SEQUENCE, &tlv(OCTET_STRING, &[7; 3])));
    let long = variants.iter().find(|variant| variant.what == "element 2 (30) has a length that is one byte too long");
    assert_eq!(long.unwrap().der[..3], [SEQUENCE, 0x81, 8]);
}
