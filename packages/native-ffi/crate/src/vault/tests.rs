use super::*;
use crate::memory::tests::in_child;
use crate::rows::packed;
use crate::scratch::Scratch;
use crate::test_turn::turn;
use proptest::prelude::*;
use std::collections::HashMap;

fn vault() -> Vault {
    Vault::new(Rules::default()).unwrap()
}

fn exported(vault: &mut Vault, handle: Handle) -> [u8; KEY] {
    let mut key = [0; KEY];
    vault.export(handle, &mut key).unwrap();
    key
}

fn sealed_row(vault: &mut Vault, handle: Handle, payload: &[u8]) -> Outcome<([u8; WRAPPED], Vec<u8>)> {
    let mut wrapped = [0; WRAPPED];
    let mut data = vec![0; payload.len() + 28];
    vault.seal_row(handle, Input::from(payload), &mut wrapped, &mut data)?;
    Ok((wrapped, data))
}

fn opened_row(vault: &mut Vault, handle: Handle, wrapped: &[u8], data: &[u8]) -> Outcome<Vec<u8>> {
    let mut plaintext = vec![0x55; data.len().saturating_sub(28)];
    // SAFETY: the plaintext is a vector of its own.
    let opened = unsafe { vault.open_row(handle, wrapped, data, plaintext.as_mut_ptr(), plaintext.len()) };
    if opened.is_err() && wrapped.len() == WRAPPED {
        let untouched = plaintext.iter().all(|byte| *byte == 0x55);
        assert!(untouched || plaintext.iter().all(|byte| *byte == 0), "unauthenticated bytes stayed");
    }
    opened.map(|()| plaintext)
}

/// As many keys as can be locked: what comes then is encrypted.
fn hog() -> Vault {
    let mut vault = vault();
    while vault.sealed_keys() == 0 {
        vault.generate().unwrap();
    }
    vault
}

#[test]
fn aes_256_gcm_is_that_of_the_standard() {
    // Test case 15 of the GCM specification (McGrew and Viega).
    let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    let plaintext = hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
    );
    let blob = hex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6ccafebabefacedbaddecaf888",
    );
    let mut context = core::mem::MaybeUninit::<crate::aead::Context>::uninit();
    let nonce = *blob.last_chunk::<NONCE>().unwrap();
    let mut sealed = vec![0; blob.len()];
    // SAFETY: the context is initialised before it is used, and stays where it is.
    let context = unsafe {
        crate::aead::Context::init(context.as_mut_ptr(), key.as_ptr()).unwrap();
        context.assume_init_ref()
    };
    context.seal(Input::from(&plaintext[..]), &nonce, &mut sealed).unwrap();
    assert_eq!(sealed, blob);
    let mut opened = vec![0; plaintext.len()];
    context.open(&blob, &mut opened).unwrap();
    assert_eq!(opened, plaintext);
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn keys_and_rows_work_the_same_locked_and_sealed() {
    let _turn = turn();
    let mut locked = vault();
    // With its first page of slots, before another one takes the rest.
    let first = locked.generate().unwrap();
    assert!(locked.close_key(first));
    let hog = hog();
    let mut sealed = vault();
    for (vault, expected) in [(&mut locked, 0), (&mut sealed, 2)] {
        let parent = vault.generate().unwrap();
        let child = vault.import(Input::from(&[7; KEY][..])).unwrap();
        assert_eq!(vault.sealed_keys(), expected);
        assert_eq!(exported(vault, child), [7; KEY]);
        let mut wrapped = [0; WRAPPED];
        vault.wrap(child, parent, &mut wrapped).unwrap();
        let again = vault.unwrap(&wrapped, parent).unwrap();
        assert_eq!(exported(vault, again), [7; KEY]);
        for payload in [&b""[..], b"x", &[9; 5_000]] {
            let (wrapped, data) = sealed_row(vault, parent, payload).unwrap();
            assert_eq!(opened_row(vault, parent, &wrapped, &data).unwrap(), payload);
            assert_eq!(opened_row(vault, child, &wrapped, &data), Err(Fault::Authentication));
        }
        assert!(vault.report().unwrap().intact);
    }
    drop(hog);
}

#[test]
fn d_102_at_the_limit_keys_are_sealed_or_refused_and_nothing_else_changes() {
    let _turn = turn();
    let hog = hog();
    let report = hog.report().unwrap();
    assert!(report.keys > 100 && report.sealed_keys == 1 && report.protections.locked, "{report:?}");
    let mut strict = Vault::new(Rules { throw_at_limit: true, ..Rules::default() }).unwrap();
    let mut locked = 0;
    let refused = loop {
        match strict.generate() {
            Ok(_) => locked += 1,
            Err(fault) => break fault,
        }
    };
    // It may use the part of the limit that others leave to new providers.
    assert_eq!((refused, strict.sealed_keys()), (Fault::LockLimit, 0));
    assert!(locked > 0);
    let (handle, before) = (hog.report().unwrap().keys, memory::locked_bytes());
    drop(strict);
    assert!(memory::locked_bytes() < before && hog.report().unwrap().keys == handle);
}

#[test]
fn slots_that_are_given_back_are_used_before_keys_are_sealed() {
    let _turn = turn();
    let mut vault = vault();
    let mut handles = Vec::new();
    while vault.sealed_keys() == 0 {
        handles.push(vault.generate().unwrap());
    }
    assert!(vault.close_key(handles[0]) && !vault.close_key(handles[0]));
    vault.generate().unwrap();
    assert_eq!(vault.sealed_keys(), 1);
    vault.generate().unwrap();
    assert_eq!(vault.sealed_keys(), 2);
}

#[test]
fn closed_keys_and_closed_vaults_are_refused() {
    let _turn = turn();
    let mut vault = vault();
    let (closed, open) = (vault.generate().unwrap(), vault.generate().unwrap());
    let (wrapped, data) = sealed_row(&mut vault, closed, b"row").unwrap();
    assert!(vault.close_key(closed));
    let reused = vault.generate().unwrap();
    assert_eq!(reused.index(), closed.index());
    for expected in [Fault::KeyClosed, Fault::ProviderClosed] {
        let mut room = [0; WRAPPED];
        assert_eq!(vault.export(closed, &mut [0; KEY]), Err(expected));
        assert_eq!(vault.wrap(closed, open, &mut room), Err(expected));
        assert_eq!(vault.wrap(open, closed, &mut room), Err(expected));
        assert_eq!(vault.unwrap(&wrapped, closed), Err(expected));
        assert_eq!(sealed_row(&mut vault, closed, b"x").err(), Some(expected));
        assert_eq!(opened_row(&mut vault, closed, &wrapped, &data), Err(expected));
        assert_eq!(vault.begin_seal(closed).err(), Some(expected));
        assert_eq!(vault.begin_open(closed, &wrapped).err(), Some(expected));
        assert!(vault.close() && vault.is_closed());
    }
    assert_eq!(vault.generate(), Err(Fault::ProviderClosed));
    assert!(vault.report().is_none());
}

#[test]
fn d_103_an_overwritten_key_is_noticed_and_never_used() {
    let _turn = turn();
    let mut vault = vault();
    let handle = vault.generate().unwrap();
    vault.damage_key(handle);
    assert_eq!(vault.export(handle, &mut [0; KEY]), Err(Fault::Damaged));
    assert_eq!(sealed_row(&mut vault, handle, b"x").err(), Some(Fault::Damaged));
    vault.damage_canary();
    assert!(!vault.report().unwrap().intact);
    assert!(!vault.close(), "the close reports it");
}

#[test]
fn more_keys_than_contexts_all_work_and_lent_contexts_stay() {
    let _turn = turn();
    let mut vault = vault();
    let handles: Vec<Handle> = (0..1_000).map(|_| vault.generate().unwrap()).collect();
    let rows: Vec<_> = handles.iter().map(|handle| sealed_row(&mut vault, *handle, b"payload").unwrap()).collect();
    let lent = vault.begin_seal(handles[0]).unwrap().unwrap();
    for _ in 0..2 {
        for (handle, (wrapped, data)) in handles.iter().zip(&rows) {
            assert_eq!(opened_row(&mut vault, *handle, wrapped, data).unwrap(), b"payload");
        }
    }
    let mut blob = vec![0; 3 + 28];
    lent.work.context().seal(Input::from(&b"abc"[..]), &lent.nonce, &mut blob).unwrap();
    vault.end_work(lent.work);
    assert_eq!(opened_row(&mut vault, handles[0], &lent.wrapped, &blob).unwrap(), b"abc");
}

#[test]
fn every_context_can_be_lent_and_rows_still_work() {
    let _turn = turn();
    let mut vault = vault();
    let handle = vault.generate().unwrap();
    let mut lent = Vec::new();
    while let Some(work) = vault.begin_seal(handle).unwrap() {
        lent.push(work);
    }
    assert!(lent.len() > 2);
    let (wrapped, data) = sealed_row(&mut vault, handle, b"payload").unwrap();
    assert_eq!(opened_row(&mut vault, handle, &wrapped, &data).unwrap(), b"payload");
    let locked = memory::locked_bytes();
    assert!(vault.close());
    // What is lent outlives the close, and is given back with the last of it.
    for work in lent {
        let mut blob = vec![0; 28];
        work.work.context().seal(Input::from(&[][..]), &work.nonce, &mut blob).unwrap();
        assert!(memory::locked_bytes() > 0);
        vault.end_work(work.work);
    }
    assert!(memory::locked_bytes() < locked);
}

#[test]
#[cfg(unix)]
fn d_098_a_forked_child_has_no_keys_and_no_random_state() {
    let _turn = turn();
    let mut vault = vault();
    let handle = vault.generate().unwrap();
    let (wrapped, data) = sealed_row(&mut vault, handle, b"row").unwrap();
    let ended = in_child(|| {
        let checks = [
            vault.generate() == Err(Fault::Forked),
            vault.export(handle, &mut [0; KEY]) == Err(Fault::Forked),
            sealed_row(&mut vault, handle, b"x").err() == Some(Fault::Forked),
            opened_row(&mut vault, handle, &wrapped, &data) == Err(Fault::Forked),
            vault.report().is_none() && !vault.close_key(handle),
            vault.close(),
            Vault::new(Rules::default()).is_ok_and(|mut own| own.generate().is_ok()),
        ];
        checks.iter().position(|passed| !passed).map_or(0, |at| i32::try_from(at).unwrap() + 1)
    });
    assert_eq!(ended, 0, "which check failed, counted from 1");
    assert_eq!(opened_row(&mut vault, handle, &wrapped, &data).unwrap(), b"row");
}

#[test]
fn all_rows_have_their_own_keys_and_nonces() {
    let _turn = turn();
    let mut vault = vault();
    let handle = vault.generate().unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3_000 {
        let (wrapped, data) = sealed_row(&mut vault, handle, b"").unwrap();
        assert!(seen.insert(wrapped[48..].to_vec()) && seen.insert(data[16..].to_vec()));
        assert!(seen.insert(wrapped[..32].to_vec()));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Generate,
    Import([u8; KEY]),
    Close(prop::sample::Index),
    Wrap(prop::sample::Index, prop::sample::Index),
    Row(prop::sample::Index, Vec<u8>),
    Batch(prop::sample::Index, Vec<Vec<u8>>),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let payload = || prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        Just(Step::Generate),
        any::<[u8; KEY]>().prop_map(Step::Import),
        index().prop_map(Step::Close),
        (index(), index()).prop_map(|(a, b)| Step::Wrap(a, b)),
        (index(), payload()).prop_map(|(a, b)| Step::Row(a, b)),
        (index(), prop::collection::vec(payload(), 0..6)).prop_map(|(a, b)| Step::Batch(a, b)),
    ]
}

fn perform(vault: &mut Vault, open: &mut HashMap<u64, (Handle, [u8; KEY])>, step: Step) {
    let mut handles: Vec<Handle> = open.values().map(|(handle, _)| *handle).collect();
    handles.sort_by_key(|handle| handle.bits());
    match step {
        Step::Generate => {
            let handle = vault.generate().unwrap();
            let key = exported(vault, handle);
            assert!(open.insert(handle.bits(), (handle, key)).is_none());
        }
        Step::Import(key) => {
            let handle = vault.import(Input::from(&key[..])).unwrap();
            assert!(open.insert(handle.bits(), (handle, key)).is_none());
        }
        _ if handles.is_empty() => {}
        Step::Close(which) => {
            let handle = *which.get(&handles);
            open.remove(&handle.bits());
            assert!(vault.close_key(handle));
            assert_eq!(vault.export(handle, &mut [0; KEY]), Err(Fault::KeyClosed));
        }
        Step::Wrap(which, parent) => {
            let (handle, parent) = (*which.get(&handles), *parent.get(&handles));
            let mut wrapped = [0; WRAPPED];
            vault.wrap(handle, parent, &mut wrapped).unwrap();
            let again = vault.unwrap(&wrapped, parent).unwrap();
            assert_eq!(exported(vault, again), open[&handle.bits()].1);
            assert!(vault.close_key(again));
        }
        Step::Row(which, payload) => {
            let handle = *which.get(&handles);
            let (wrapped, mut data) = sealed_row(vault, handle, &payload).unwrap();
            assert_eq!(opened_row(vault, handle, &wrapped, &data).unwrap(), payload);
            let at = payload.len() % data.len();
            data[at] ^= 1;
            assert_eq!(opened_row(vault, handle, &wrapped, &data), Err(Fault::Authentication));
        }
        Step::Batch(which, payloads) => batch(vault, *which.get(&handles), &payloads),
    }
    for (handle, key) in open.values() {
        assert_eq!(exported(vault, *handle), *key);
    }
    assert_eq!(vault.report().unwrap().keys, open.len());
}

fn batch(vault: &mut Vault, handle: Handle, payloads: &[Vec<u8>]) {
    let bounds = bounds_of(payloads.iter().map(Vec::len));
    let middle = b"\",\"ParentKeyMeta\":{\"KeyId\":\"_IK_\\\"_s_p\",\"Created\":1795251240}},\"Data\":\"";
    let plain = payloads.concat();
    let mut rows = vec![0; packed::sealed_len(&bounds, 1_795_251_290, middle.len()).unwrap()];
    let mut ends = vec![0; payloads.len()];
    let mut scratch = Scratch::default();
    let shared = packed::Batch { handle, created: 1_795_251_290, middle };
    let payload_bytes = (Input::from(&plain[..]), &bounds[..]);
    packed::seal(vault, &mut scratch, &shared, payload_bytes, (&mut rows, &mut ends)).unwrap();
    let row_bounds = packed::bounds(&ends, rows.len()).unwrap();
    let mut back = vec![0; packed::opened_len(&rows, &row_bounds).unwrap()];
    let mut back_ends = vec![0; payloads.len()];
    packed::open(vault, &mut scratch, handle, (&rows, &row_bounds), (&mut back, &mut back_ends)).unwrap();
    assert_eq!(back, plain);
    assert_eq!(packed::bounds(&back_ends, back.len()).unwrap(), bounds);
}

fn bounds_of(lengths: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    lengths
        .scan(0, |start, len| {
            let bounds = (*start, *start + len);
            *start = bounds.1;
            Some(bounds)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_sequence_of_calls_keeps_every_key(steps in prop::collection::vec(step(), 1..60), at_limit in any::<bool>()) {
        let _turn = turn();
        let hog = at_limit.then(hog);
        let mut vault = vault();
        let mut open = HashMap::new();
        for step in steps {
            perform(&mut vault, &mut open, step);
        }
        prop_assert!(vault.close());
        drop(hog);
    }

    #[test]
    fn d_089_blobs_of_any_length_and_content_are_faults(
        wrapped in prop::collection::vec(any::<u8>(), 0..130),
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _turn = turn();
        let mut vault = vault();
        let handle = vault.generate().unwrap();
        prop_assert!(opened_row(&mut vault, handle, &wrapped, &data).is_err());
        prop_assert!(vault.unwrap(&wrapped, handle).is_err());
        prop_assert!(vault.begin_open(handle, &wrapped).is_err());
        let imports = vault.import(Input::from(&wrapped[..])).is_ok();
        prop_assert_eq!(imports, wrapped.len() == KEY);
        // What was refused left nothing behind.
        prop_assert_eq!(vault.report().unwrap().keys, 1 + usize::from(imports));
    }
}
