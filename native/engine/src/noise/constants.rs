//! What the specification fixes, and what this implementation chose.

// ---- the specification (WireGuard paper, sections 5.4 and 6.1) ----

pub const CONSTRUCTION: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
pub const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";
pub const LABEL_MAC1: &[u8] = b"mac1----";
pub const LABEL_COOKIE: &[u8] = b"cookie--";

pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
pub const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);
pub const REKEY_AFTER_TIME: u64 = 120_000;
pub const REJECT_AFTER_TIME: u64 = 180_000;
pub const REKEY_ATTEMPT_TIME: u64 = 90_000;
pub const REKEY_TIMEOUT: u64 = 5_000;
pub const KEEPALIVE_TIMEOUT: u64 = 10_000;
/// A cookie is good for this long (section 5.4.7).
pub const COOKIE_LIFETIME: u64 = 120_000;

// ---- ours (times in milliseconds) ----

/// Spreads retries of many peers (kernel: `REKEY_TIMEOUT_JITTER_MAX`, a third of a second).
pub const REKEY_JITTER: u64 = 334;
/// Two initiations of one peer closer than this are not both answered (kernel: `INITIATIONS_PER_SECOND` 50).
pub const INITIATION_INTERVAL: u64 = 20;
/// Packets that wait for a handshake, for each peer (kernel: `MAX_STAGED_PACKETS`).
pub const STAGED_PACKETS: usize = 128;
/// Handshake messages in 100 ms above which this machine counts as under load: a handshake costs about 150 µs, so
/// this is about a seventh of one processor.
pub const LOAD_THRESHOLD: u32 = 100;
/// How long "under load" lasts after the last time the threshold was passed (kernel: one second).
pub const LOAD_LASTS: u64 = 1_000;
/// The replay window in packets. The kernel has 8128; as wide, because receive batches reorder no more than it does.
pub const REPLAY_WINDOW: u64 = 8128;
/// Data was sent and nothing was heard for this long: ask with a handshake whether the peer still lives.
pub const SILENCE_PROBE: u64 = 500;
/// Data sent this long after unanswered data means that the sender still waits (TCP's least retransmission timeout is
/// 200 ms).
pub const INSISTS: u64 = 150;
/// Least time between a probe and the initiation before it. Each probe that only a handshake answers doubles it up to
/// REKEY_TIMEOUT, so that one-way traffic soon keeps the paper's rate.
pub const PROBE_INTERVAL: u64 = 1_000;
/// The probe went unanswered for this long, or four round trips where that is longer: the peer counts as silent.
pub const SILENCE_VERDICT: u64 = 500;

/// How long answers to probes of the path are waited for, or twice the round trip where that is longer.
pub const PATH_WAIT: u64 = 300;
/// While large packets are sent, the path is checked this long after the last check.
pub const PATH_CHECK: u64 = 1_000;
/// Probes without any answer before a peer counts as one that does not know them.
pub const PATH_TRIES: u32 = 3;
/// A lowered limit is tried anew after this time (RFC 8899 section 5.1.1 has 600 s; a laptop changes networks more often).
pub const PATH_RAISE: u64 = 60_000;
