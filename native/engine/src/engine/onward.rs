//! From one peer to another without a copy. Both data messages have one size and one layout, so a packet that was opened
//! in place is sealed in place, and a run that came as one leaves as one. What the next peer is looked up for is kept while
//! packets for it follow each other, and what they did to it (bytes, timers) is told once, in [`Engine::finish`].

use std::sync::Arc;

use super::out::{Endpoint, Out};
use super::path::LARGE;
use super::peer::Peer;
use super::receive::Received;
use super::send::clamp;
use super::{Engine, Now};
use crate::noise::constants::REKEY_AFTER_TIME;
use crate::noise::session::Session;
use crate::offload::vnet::Vnet;
use crate::wire::ip;
use crate::wire::wg::{DATA_HEADER, DATA_OVERHEAD, TAG, padded};

/// The peer that the last packets went on to.
pub struct Onward {
    peer: Arc<Peer>,
    session: Arc<Session>,
    to: Endpoint,
    limit: usize,
    bytes: usize,
    is_large: bool,
}

impl Engine {
    /// `datagram` holds a decrypted packet, which goes to `to`. With `may_stay` false, or where it does not fit as it
    /// stands, it goes the way of a packet from the TUN.
    #[allow(clippy::too_many_arguments)] // what `receive` has in hand
    pub(super) fn pass_on(
        &self,
        now: Now,
        onward: &mut Option<Onward>,
        to: &Arc<Peer>,
        view: &ip::View,
        datagram: &mut [u8],
        may_stay: bool,
        out: &mut Out,
    ) -> Received {
        let end = DATA_HEADER + view.total;
        if may_stay
            && let Some(way) = self.way_to(now, onward, to, out)
            && view.total <= way.limit
            && padded(view.total, way.limit) + DATA_OVERHEAD == datagram.len()
            && let Some(counter) = way.session.reserve(1)
        {
            clamp(view, &mut datagram[DATA_HEADER..end], way.limit, false);
            let tos = ip::ecn(&datagram[DATA_HEADER..]);
            // The sender's padding is nobody else's business.
            let tag = datagram.len() - TAG;
            datagram[end..tag].fill(0);
            way.session.seal(counter, datagram);
            way.bytes += datagram.len();
            way.is_large |= view.total >= LARGE;
            return Received::Onward { to: way.to, tos };
        }
        self.send_to(now, to, &Vnet::default(), &mut datagram[DATA_HEADER..end], out);
        Received::Nothing
    }

    /// None where there is no session, or another tunnel around it.
    fn way_to<'o>(
        &self,
        now: Now,
        onward: &'o mut Option<Onward>,
        to: &Arc<Peer>,
        out: &mut Out,
    ) -> Option<&'o mut Onward> {
        let is_known =
            onward.as_ref().is_some_and(|way| Arc::ptr_eq(&way.peer, to) && way.session.usable(now.ms));
        if !is_known {
            self.finish_onward(now, onward, out);
            let endpoint = to.endpoint().filter(|to| to.chained.is_none())?;
            let session = to.session().filter(|session| session.usable(now.ms))?;
            let limit = self.inside_limit(to);
            *onward =
                Some(Onward { peer: to.clone(), session, to: endpoint, limit, bytes: 0, is_large: false });
        }
        onward.as_mut()
    }

    pub(super) fn finish_onward(&self, now: Now, onward: &mut Option<Onward>, out: &mut Out) {
        let Some(Onward { peer, session, bytes, is_large, .. }) = onward.take() else { return };
        if bytes == 0 {
            return;
        }
        peer.count_sent(bytes);
        self.sent_any(now, &peer, out);
        self.sent_data(now, &peer, out);
        if is_large {
            self.sent_large(now, &peer, out);
        }
        if session.wants_rekey(now.ms, REKEY_AFTER_TIME) {
            self.initiate(now, &peer, out);
        }
    }
}
