use super::packed::{self, Batch, bounds};
use super::scan::scan;
use super::template::{Digits, Template};
use super::text::{self, RowText};
use super::{base64, scan};
use crate::aead::{Input, WRAPPED};
use crate::fault::Fault;
use crate::scratch::Scratch;
use crate::test_turn::turn;
use crate::vault::{Rules, Vault};
use proptest::prelude::*;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, letter by letter.
fn reference(bytes: &[u8]) -> Vec<u8> {
    let letter = |bits: u32| ALPHABET[(bits & 63) as usize];
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().chain([&0, &0]).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            let mut four = [bits >> 18, bits >> 12, bits >> 6, bits].map(letter);
            four[chunk.len() + 1..].fill(b'=');
            four
        })
        .collect()
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![0; base64::encoded_len(bytes.len()).unwrap()];
    base64::encode(bytes, &mut text).unwrap();
    text
}

fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; base64::decoded_len(text).ok()?];
    base64::decode(text, &mut bytes).ok()?;
    Some(bytes)
}

fn middle(id: &str) -> String {
    format!("\",\"ParentKeyMeta\":{{\"KeyId\":\"{id}\",\"Created\":1795251240}}}},\"Data\":\"")
}

fn row_text(id: &str, created: u64, wrapped: &[u8], data: &[u8]) -> Vec<u8> {
    let middle = middle(id);
    let mut text = vec![0; text::text_len(created, middle.len(), data.len()).unwrap()];
    text::write(&RowText { created, wrapped, data }, middle.as_bytes(), &mut text).unwrap();
    text
}

#[test]
fn every_length_is_written_to_its_place_and_no_further() {
    for len in 0..200 {
        let bytes: Vec<u8> = (0..len).map(|i| u8::try_from(i * 7 % 256).unwrap()).collect();
        let expected = reference(&bytes);
        let mut around = vec![0x55; expected.len() + 128];
        base64::encode(&bytes, &mut around[64..64 + expected.len()]).unwrap();
        assert!(around[..64].iter().chain(&around[64 + expected.len()..]).all(|byte| *byte == 0x55), "{len}");
        assert_eq!(around[64..64 + expected.len()], expected);
    }
}

#[test]
fn only_canonical_base64_is_taken() {
    for text in [
        "=",
        "A===",
        "AA==AAAA",
        "AAA=AAAA",
        "AA=A",
        "AB==",
        "AAB=",
        "AAA",
        "AA",
        "A",
        "AAAA\n",
        "AA A",
        "AA-_",
        "AAA\u{c5}",
    ] {
        assert_eq!(decoded(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(decoded(b"").unwrap(), b"");
    assert_eq!(decoded(b"AA==").unwrap(), [0]);
}

#[test]
fn wide_characters_do_not_pass_for_their_low_bytes() {
    let text: Vec<u16> = "AAAA".encode_utf16().collect();
    let mut bytes = [0; 4];
    base64::narrow(&text, &mut bytes).unwrap();
    assert_eq!(&bytes, b"AAAA");
    for unit in [0x0141, 0x80, 0xff, 0xd841, 0xffff] {
        let text = [0x41, unit, 0x41, 0x41];
        assert_eq!(base64::narrow(&text, &mut bytes), Err(Fault::Base64), "{unit:x}");
    }
    assert_eq!(base64::narrow(&text, &mut [0; 3]), Err(Fault::Argument));
}

#[test]
fn rooms_of_a_wrong_size_are_refused() {
    assert_eq!(base64::encode(b"abc", &mut [0; 3]), Err(Fault::Argument));
    assert_eq!(base64::encode(b"abc", &mut [0; 5]), Err(Fault::Argument));
    assert_eq!(base64::decode(b"AAAA", &mut [0; 2]), Err(Fault::Base64));
    let row = RowText { created: 1, wrapped: &[0; 60], data: &[0; 28] };
    assert_eq!(text::write(&row, b"x", &mut [0; 10]), Err(Fault::Argument));
    assert_eq!(text::write(&row, b"x", &mut [0; 1_000]), Err(Fault::Argument));
}

#[test]
fn templates_are_as_narrow_as_they_can_be() {
    let narrow = |text: &str| Template::new(&text.encode_utf16().collect::<Vec<_>>()).unwrap();
    assert!(matches!(narrow("caf\u{e9}"), Template::Narrow(_)));
    assert!(matches!(narrow("\u{100}"), Template::Wide(_)));
    for text in ["caf\u{e9}", "a", "\u{20ac} \u{1f600}"] {
        assert_eq!(narrow(text).to_utf8().unwrap(), text.as_bytes());
    }
    assert_eq!(Template::new(&[]), Err(Fault::Argument));
    // A lone surrogate: JavaScript never gives one, and there is no UTF-8 for it.
    assert_eq!(Template::new(&[0xd800]).unwrap().to_utf8(), Err(Fault::Argument));
}

#[test]
fn lengths_that_overflow_are_refused() {
    assert_eq!(text::text_len(1, usize::MAX, 28), Err(Fault::TooLong));
    assert_eq!(text::text_len(1, 1, usize::MAX), Err(Fault::TooLong));
    assert_eq!(packed::sealed_len(&[(0, usize::MAX)], 1, 1), Err(Fault::TooLong));
    assert_eq!(packed::sealed_len(&[(0, 4_000_000_000)], 1, 1), Err(Fault::TooLong));
}

proptest! {
    #[test]
    fn base64_is_that_of_the_rfc(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = encoded(&bytes);
        prop_assert_eq!(&text, &reference(&bytes));
        prop_assert_eq!(decoded(&text).unwrap(), bytes);
    }

    #[test]
    fn a_text_that_is_taken_is_the_one_its_bytes_are_written_as(text in prop::collection::vec(
        prop_oneof![8 => prop::sample::select(ALPHABET.to_vec()), 1 => Just(b'='), 1 => any::<u8>()], 0..200)) {
        if let Some(bytes) = decoded(&text) {
            prop_assert_eq!(reference(&bytes), text);
        }
    }

    #[test]
    fn one_changed_character_is_refused_or_changes_the_bytes(
        bytes in prop::collection::vec(any::<u8>(), 1..100), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let text = encoded(&bytes);
        let mut changed = text.clone();
        *at.get_mut(&mut changed) = with;
        if changed != text {
            prop_assert_ne!(decoded(&changed), Some(bytes));
        }
    }

    #[test]
    fn digits_are_decimal(value in any::<u64>()) {
        prop_assert!(Digits::new(value).as_slice() == value.to_string().as_bytes());
    }

    #[test]
    fn rows_are_written_as_the_wire_format_says_and_found_again(
        id in "[ -!#-\\[\\]-~\u{e9}\u{20ac}]{1,30}",
        created in 1_u64..1 << 53,
        wrapped in prop::collection::vec(any::<u8>(), WRAPPED..=WRAPPED),
        data in prop::collection::vec(any::<u8>(), 28..300),
    ) {
        let text = row_text(&id, created, &wrapped, &data);
        let (key, body) = (reference(&wrapped), reference(&data));
        let expected = format!(
            "{{\"Key\":{{\"Created\":{created},\"Key\":\"{}\",\"ParentKeyMeta\":{{\"KeyId\":\"{id}\",\"Created\":1795251240}}}},\"Data\":\"{}\"}}",
            core::str::from_utf8(&key).unwrap(),
            core::str::from_utf8(&body).unwrap(),
        );
        prop_assert_eq!(&text, expected.as_bytes());
        let found = scan(&text).unwrap();
        prop_assert_eq!(found, scan::Scanned { wrapped: &key, data: &body });
        let template = Template::new(&middle(&id).encode_utf16().collect::<Vec<_>>()).unwrap();
        let wide = text::to_utf16(&RowText { created, wrapped: &wrapped, data: &data }, &template).unwrap();
        prop_assert_eq!(wide, expected.encode_utf16().collect::<Vec<_>>());
    }

    #[test]
    fn d_091_any_bytes_are_a_row_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(scan(&bytes), Err(Fault::RowForm));
    }

    #[test]
    fn a_changed_row_is_found_in_place_or_refused(
        at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>(), cuts in any::<bool>()) {
        let mut text = row_text("_IK_a\\\"b_s_p", 1_795_251_290, &[1; WRAPPED], &[2; 40]);
        if cuts { text.truncate(cut.index(text.len())); } else { *at.get_mut(&mut text) = with; }
        if let Ok(found) = scan(&text) {
            prop_assert_eq!(found.wrapped.len(), 80);
            let start = text.len() - 2 - found.data.len();
            prop_assert_eq!(&text[start..text.len() - 2], found.data);
        }
    }

    #[test]
    fn ends_are_taken_only_in_order_and_whole(ends in prop::collection::vec(0_u32..50, 0..8), len in 0_usize..60) {
        let sorted = ends.is_sorted();
        let whole = ends.last().map_or(0, |last| *last as usize) == len;
        match bounds(&ends, len) {
            Ok(found) => {
                prop_assert!(sorted && whole);
                prop_assert_eq!(found.iter().map(|(start, end)| end - start).sum::<usize>(), len);
            }
            Err(fault) => prop_assert!(fault == Fault::Spans && !(sorted && whole)),
        }
    }

    #[test]
    fn a_hostile_batch_is_a_fault_that_names_its_row(
        good in 0_usize..4, bad in prop::collection::vec(any::<u8>(), 0..300), flip in any::<prop::sample::Index>(), scanned in any::<bool>()) {
        let _turn = turn();
        let mut vault = Vault::new(Rules::default()).unwrap();
        let handle = vault.generate().unwrap();
        let mut scratch = Scratch::default();
        let middle = middle("_IK_p_s_p");
        let payloads: Vec<(usize, usize)> = (0..good + 1).map(|i| (i * 10, i * 10 + 10)).collect();
        let plain = vec![3; 10 * (good + 1)];
        let mut rows = vec![0; packed::sealed_len(&payloads, 5, middle.len()).unwrap()];
        let mut ends = vec![0; good + 1];
        let batch = Batch { handle, created: 5, middle: middle.as_bytes() };
        packed::seal(&mut vault, &mut scratch, &batch, (Input::from(&plain[..]), &payloads), (&mut rows, &mut ends)).unwrap();
        // The last row is replaced, or one character of its base64 is.
        let last = if good == 0 { 0 } else { ends[good - 1] as usize };
        if scanned {
            let data = rows.len() - 2 - 52;
            let at = data + flip.index(50);
            rows[at] = if rows[at] == b'A' { b'B' } else { b'A' };
        } else {
            rows.truncate(last);
            rows.extend_from_slice(&bad);
        }
        ends[good] = u32::try_from(rows.len()).unwrap();
        let row_bounds = bounds(&ends, rows.len()).unwrap();
        let opened = packed::opened_len(&rows, &row_bounds).and_then(|len| {
            let mut target = vec![0x55; len];
            let mut target_ends = vec![0; good + 1];
            let opened = packed::open(&mut vault, &mut scratch, handle, (&rows, &row_bounds), (&mut target, &mut target_ends));
            assert!(target.iter().all(|byte| *byte == 0), "payloads stayed after a fault");
            opened
        });
        prop_assert_eq!(opened.unwrap_err().item, Some(good));
    }
}
