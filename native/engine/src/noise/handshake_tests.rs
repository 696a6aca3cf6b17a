use super::*;

struct Pair {
    a: Identity,
    b: Identity,
    preshared: Key,
}

fn pair() -> Pair {
    Pair { a: Identity::new([0x11; 32]), b: Identity::new([0x22; 32]), preshared: [0x33; 32] }
}

fn run(pair: &Pair, preshared_of_a: &Key) -> Result<(SessionKeys, SessionKeys), Forged> {
    let shared_a = pair.a.shared(&pair.b.public)?;
    let known = Known { me: &pair.a, peer: &pair.b.public, shared: &shared_a, preshared: preshared_of_a };
    let (waiting, initiation) = Initiating::start(&known, 7, [0x44; 32], [9; 12])?;
    let received = Received::open(&pair.b, &initiation)?;
    assert_eq!(received.peer, pair.a.public);
    let shared_b = pair.b.shared(&received.peer)?;
    let proven = received.prove(&shared_b)?;
    assert_eq!(proven.timestamp, [9; 12]);
    let (theirs, response) = proven.respond(&pair.preshared, 8, [0x55; 32])?;
    Ok((waiting.finish(&known, &response)?, theirs))
}

#[test]
fn both_ends_agree_on_keys_and_indices() {
    let (ours, theirs) = run(&pair(), &[0x33; 32]).unwrap();
    assert_eq!((*ours.send, *ours.receive), (*theirs.receive, *theirs.send));
    assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
    assert_ne!(*ours.send, *ours.receive);
}

#[test]
fn a_different_preshared_key_is_refused_by_the_initiator() {
    assert_eq!(run(&pair(), &[0; 32]).err(), Some(Forged));
}

#[test]
fn every_flipped_bit_of_an_initiation_is_refused() {
    let pair = pair();
    let shared = pair.a.shared(&pair.b.public).unwrap();
    let known = Known { me: &pair.a, peer: &pair.b.public, shared: &shared, preshared: &pair.preshared };
    let (_, initiation) = Initiating::start(&known, 7, [0x44; 32], [9; 12]).unwrap();
    for bit in initiation::EPHEMERAL.start * 8..initiation::TIMESTAMP.end * 8 {
        let mut bad = initiation;
        bad[bit / 8] ^= 1 << (bit % 8);
        // X25519 ignores the top bit of a public key, but the hash over it does not.
        let opened = Received::open(&pair.b, &bad).and_then(|received| received.prove(&shared));
        assert!(opened.is_err(), "bit {bit}");
    }
}

#[test]
fn a_key_of_small_order_agrees_on_nothing() {
    assert!(pair().a.shared(&[0; 32]).is_err());
}

fn snow_builder(private: &Key) -> snow::Builder<'_> {
    snow::Builder::new("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s".parse().unwrap())
        .local_private_key(private)
        .unwrap()
        .prologue(IDENTIFIER)
        .unwrap()
        .psk(2, &[0x33; 32])
        .unwrap()
}

/// Snow is an independent implementation of Noise; a WireGuard message is its Noise message behind type and indices.
#[test]
fn an_independent_responder_accepts_our_initiation() {
    let pair = pair();
    let shared = pair.a.shared(&pair.b.public).unwrap();
    let known = Known { me: &pair.a, peer: &pair.b.public, shared: &shared, preshared: &pair.preshared };
    let (waiting, initiation) = Initiating::start(&known, 7, [0x44; 32], [9; 12]).unwrap();

    let mut theirs = snow_builder(&pair.b.private()).build_responder().unwrap();
    let mut timestamp = [0; 12];
    theirs.read_message(&initiation[8..116], &mut timestamp).unwrap();
    assert_eq!(timestamp, [9; 12]);
    let mut response = [0; RESPONSE_LEN];
    response[4] = 8;
    assert_eq!(theirs.write_message(&[], &mut response[12..60]).unwrap(), 48);

    let keys = waiting.finish(&known, &response).unwrap();
    let (to_responder, to_initiator) = theirs.dangerously_get_raw_split();
    assert_eq!((*keys.send, *keys.receive, keys.remote), (to_responder, to_initiator, 8));
}

#[test]
fn an_independent_initiator_accepts_our_response() {
    let pair = pair();
    let mut theirs =
        snow_builder(&pair.a.private()).remote_public_key(&pair.b.public).unwrap().build_initiator().unwrap();
    let mut initiation = [0; INITIATION_LEN];
    assert_eq!(theirs.write_message(&[5; 12], &mut initiation[8..116]).unwrap(), 108);

    let received = Received::open(&pair.b, &initiation).unwrap();
    let shared = pair.b.shared(&received.peer).unwrap();
    let (keys, response) = received.prove(&shared).unwrap().respond(&pair.preshared, 8, [0x55; 32]).unwrap();
    theirs.read_message(&response[12..60], &mut []).unwrap();
    let (to_responder, to_initiator) = theirs.dangerously_get_raw_split();
    assert_eq!((*keys.receive, *keys.send), (to_responder, to_initiator));
}
