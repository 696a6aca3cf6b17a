use super::*;

fn train(to: &str, local: Option<&str>, tos: u8, count: usize) -> Train {
    let local = local.map(|text| text.parse().unwrap());
    let to = to.parse().unwrap();
    Train { to, local, chained: None, tos, at: 0, is_lent: false, len: 100 * count, segment: 100, count }
}

/// A batch whose first message has this name and control, as if the kernel had put them there.
fn received(train: &Train) -> Batch {
    let mut batch = Batch { arena: Vec::new(), ..Batch::default() };
    let len = put_address(&mut batch.names[0], train.to);
    let header = &mut batch.headers[0];
    put_control(&mut header.msg_hdr, &mut batch.controls[0], train);
    header.msg_hdr.msg_namelen = len;
    header.msg_len = train.len as u32;
    batch
}

#[test]
fn what_is_put_beside_a_datagram_is_what_is_read_beside_it() {
    for (to, local) in [
        ("192.0.2.1:51820", "198.51.100.7"),
        ("[2001:db8::1]:51820", "2001:db8::7"),
        ("[fe80::1%3]:51820", "fe80::7"),
    ] {
        for (local, tos) in [(Some(local), 0x8b), (Some(local), 0), (None, 0x02), (None, 0)] {
            let sent = train(to, local, tos, 1);
            let run = received(&sent).run(0).unwrap();
            let expected = (sent.to, sent.local, tos & 3);
            assert_eq!((run.from.address, run.from.local, run.from.ecn), expected, "{sent:?}");
            assert_eq!((run.len, run.segment), (100, 100));
        }
    }
}

#[test]
fn three_control_messages_fit_the_room_there_is() {
    let sent = train("[2001:db8::1]:51820", Some("2001:db8::7"), 0x88, 3);
    let batch = received(&sent);
    assert_eq!(batch.headers[0].msg_hdr.msg_controllen, CONTROL);
    // The first is UDP_SEGMENT, two bytes, which a receiver never gets.
    assert_eq!(batch.run(0).unwrap().from.local, sent.local);
}
