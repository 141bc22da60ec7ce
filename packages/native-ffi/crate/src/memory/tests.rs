use super::*;
use crate::fault::Fault;
use crate::test_turn::turn;

const CANARY_BYTES: Canary = [0xa5; CANARY];

fn region(bytes: usize, purpose: Purpose) -> Region {
    Region::new(bytes, LockRule::Required(purpose), &CANARY_BYTES).unwrap()
}

/// The `VmFlags` of the mapping that holds an address.
#[cfg(target_os = "linux")]
fn flags_at(address: usize) -> Vec<String> {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in smaps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if let Some((start, end)) = range {
            if let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16)) {
                inside = (start..end).contains(&address);
            }
        }
        if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
            return flags.split_whitespace().map(str::to_owned).collect();
        }
    }
    panic!("no mapping holds {address:x}")
}

#[test]
#[cfg(target_os = "linux")]
fn a_region_is_locked_and_left_out_of_dumps_and_children() {
    let _turn = turn();
    let region = region(100, Purpose::Core);
    let held = region.protections();
    assert!(held.locked && held.lock_verified && held.out_of_dumps && held.kept_from_children, "{held:?}");
    let flags = flags_at(region.start().addr().get());
    for flag in ["rd", "wr", "lo", "dd", "wf"] {
        assert!(flags.iter().any(|found| found == flag), "{flag} is not among {flags:?}");
    }
    let end = region.start().addr().get() + region.len() + CANARY;
    for guard in [region.start().addr().get() - CANARY - 1, end] {
        let flags = flags_at(guard);
        assert!(!flags.iter().any(|flag| flag == "rd" || flag == "wr"), "a guard page has {flags:?}");
    }
}

#[test]
fn locked_bytes_are_counted_and_given_back() {
    let _turn = turn();
    let before = locked_bytes();
    let held = region(10_000, Purpose::Core);
    assert_eq!(locked_bytes(), before + held.len() + 2 * CANARY);
    assert!(locked_high_water() >= locked_bytes());
    drop(held);
    assert_eq!(locked_bytes(), before);
}

#[test]
fn d_103_sizes_that_overflow_are_refused() {
    for bytes in [usize::MAX, usize::MAX - 128, usize::MAX - page_size(), usize::MAX / 2 + 1] {
        let made = Region::new(bytes, LockRule::Wanted(Purpose::Core), &CANARY_BYTES);
        assert_eq!(made.err(), Some(Fault::OutOfMemory), "{bytes}");
    }
}

#[test]
fn d_103_an_overwritten_canary_is_seen() {
    let _turn = turn();
    for at_end in [false, true] {
        let region = region(5_000, Purpose::Core);
        assert!(region.is_intact());
        let offset = if at_end { region.len() } else { 0 };
        // SAFETY: a byte of one of the two canaries.
        unsafe {
            let place = region.start().as_ptr().add(offset);
            *(if at_end { place } else { place.sub(1) }) ^= 1;
        }
        assert!(!region.is_intact());
    }
}

#[test]
fn a_share_of_the_limit_is_kept_for_other_providers() {
    let _turn = turn();
    let limit = lower_limit(1 << 20);
    let rule = |purpose| LockRule::Required(purpose);
    let half = region(limit / 2 - 2 * CANARY, Purpose::Contexts);
    assert_eq!(Region::new(1, rule(Purpose::Contexts), &CANARY_BYTES).err(), Some(Fault::LockLimit));
    let quarter = region(limit / 4 - 2 * CANARY, Purpose::Keys);
    assert_eq!(Region::new(1, rule(Purpose::Keys), &CANARY_BYTES).err(), Some(Fault::LockLimit));
    let one = region(1, Purpose::OnlyLockedKeys);
    let more = Region::new(limit / 4, rule(Purpose::OnlyLockedKeys), &CANARY_BYTES);
    assert_eq!(more.err(), Some(Fault::LockLimit));
    let core = region(1, Purpose::Core);
    let unlocked = Region::new(limit, LockRule::Wanted(Purpose::Keys), &CANARY_BYTES).unwrap();
    assert!(!unlocked.protections().locked);
    drop((half, quarter, one, core));
}

/// Lowers this process's limit, for every test that comes after: they all need less.
#[cfg(unix)]
fn lower_limit(to: usize) -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place, and lowering a soft limit is always allowed.
    unsafe {
        libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit);
        limit.rlim_cur = limit.rlim_cur.min(u64::try_from(to).unwrap());
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit);
    }
    usize::try_from(lock_limit().unwrap()).unwrap()
}

/// How a forked child ends: its exit code, or the signal below zero.
#[cfg(unix)]
pub(crate) fn in_child(run: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `run` and leaves at once; a child that hangs is ended by its alarm.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "no fork");
        if child == 0 {
            libc::alarm(60);
            libc::_exit(run());
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
    }
}

#[test]
#[cfg(unix)]
fn reading_a_guard_page_ends_the_process() {
    let _turn = turn();
    let region = region(100, Purpose::Core);
    let after = region.len() + CANARY;
    let ended = in_child(|| {
        // SAFETY: none: this is the fault that is looked for.
        unsafe { i32::from(region.start().as_ptr().add(after).read_volatile()) }
    });
    assert!(ended == -libc::SIGSEGV || ended == -libc::SIGBUS, "the child ended with {ended}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_forked_child_has_zeroes() {
    let _turn = turn();
    let region = region(100, Purpose::Core);
    let place = region.start().as_ptr();
    // SAFETY: the first byte of the region.
    unsafe { place.write_volatile(7) };
    // SAFETY: as above.
    let read = || unsafe { i32::from(place.read_volatile()) };
    assert_eq!(in_child(read), 0);
    assert_eq!(read(), 7);
}
