//! What the UAPI changes and reads. A change is applied whole: afterwards one new table is published.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use super::access::{Access, Rule};
use super::allowed_ips::{Owner, Prefix};
use super::bridge::Bridge;
use super::chain::{Via, is_circle};
use super::handshake::Guard;
use super::inside::Inside;
use super::out::Out;
use super::peer::Peer;
use super::switch::Port;
use super::{AllowedIps, Engine, Now, Table};
use crate::noise::cookie::Checker;
use crate::noise::handshake::Identity;
use crate::noise::primitives::Key;

#[derive(Default)]
pub struct Config {
    identity: Option<Arc<Identity>>,
    peers: HashMap<Key, Arc<Peer>>,
    by_id: Vec<Option<Arc<Peer>>>,
    allowed: BTreeMap<Prefix, Owner>,
    /// Who may have allowed IPs.
    owners: HashSet<Owner>,
    inside: Inside,
    access: HashMap<u32, Arc<Access>>,
    bridge: Option<IpAddr>,
    ports: HashMap<u32, IpAddr>,
}

#[derive(Default, Debug, PartialEq, Eq)]
pub struct Change {
    /// Zeros take the key away.
    pub private_key: Option<Key>,
    pub replace_peers: bool,
    /// Ours: what happens to packets between peers.
    pub inside: Option<Inside>,
    /// Ours: our inside address, to which peers send Ethernet frames.
    pub bridge: Option<IpAddr>,
    pub peers: Vec<PeerChange>,
}

#[derive(Default, Debug, PartialEq, Eq)]
pub struct PeerChange {
    pub public: Key,
    pub remove: bool,
    pub update_only: bool,
    pub preshared: Option<Key>,
    pub endpoint: Option<SocketAddr>,
    /// Seconds.
    pub keepalive: Option<u16>,
    /// Ours: what the peer may begin, in place of what it might; None leaves it.
    pub access: Option<Vec<Rule>>,
    /// Ours: the peer's inside address, to which frames for it are sent.
    pub bridge: Option<IpAddr>,
    pub replace_allowed: bool,
    /// Ours: the peer this one is reached through; zeros for none.
    pub via: Option<Key>,
    /// Ours: our address and port inside that peer's network.
    pub via_source: Option<SocketAddr>,
    pub allowed: Vec<AllowedChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedChange {
    Add(Prefix),
    Remove(Prefix),
}

/// One peer as it is.
pub struct PeerReport {
    pub public: Key,
    pub preshared: Key,
    pub endpoint: Option<SocketAddr>,
    pub last_handshake_ns: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub keepalive: u64,
    pub allowed: Vec<Prefix>,
    pub is_silent: bool,
    pub round_trip_ms: u64,
    /// Largest packet inside that passes, where it is less than the interface's MTU.
    pub path_limit: Option<usize>,
    /// The peer it is reached through, and our address inside that one's network.
    pub via: Option<(Key, SocketAddr)>,
    /// Decrypted packets that were refused.
    pub refused: u64,
    /// None without an access list.
    pub access: Option<Arc<Access>>,
}

impl Engine {
    pub fn apply(&self, now: Now, change: &Change, out: &mut Out) {
        let mut config = self.config.lock().expect("no panic holds this lock");
        if let Some(private) = change.private_key {
            self.set_identity(&mut config, private);
        }
        config.inside = change.inside.unwrap_or(config.inside);
        config.bridge = change.bridge.or(config.bridge);
        if change.replace_peers {
            let all: Vec<Key> = config.peers.keys().copied().collect();
            all.iter().for_each(|key| self.remove(&mut config, key));
        }
        let mut woken = Vec::new();
        for peer in &change.peers {
            if let Some(peer) = self.change_peer(&mut config, peer) {
                woken.push(peer);
            }
        }
        self.table.publish(config.table());
        drop(config);
        // A keepalive that was just configured opens the way through the NAT at once.
        woken.iter().for_each(|peer| self.send_keepalive(now, peer, out));
        self.send_waiting(now, change, out);
    }

    pub fn private_key(&self) -> Option<Key> {
        let config = self.config.lock().expect("no panic holds this lock");
        config.identity.as_ref().map(|identity| identity.private())
    }

    pub fn report(&self) -> Vec<PeerReport> {
        let config = self.config.lock().expect("no panic holds this lock");
        let mut allowed: HashMap<Owner, Vec<Prefix>> = HashMap::new();
        for (prefix, owner) in &config.allowed {
            allowed.entry(*owner).or_default().push(*prefix);
        }
        let peers = config.by_id.iter().flatten();
        let access = |peer: &Peer| config.access.get(&peer.id).cloned();
        peers.map(|peer| peer.report(allowed.remove(&peer.id).unwrap_or_default(), access(peer))).collect()
    }

    /// Every session hangs on our key; a new key ends them all.
    fn set_identity(&self, config: &mut Config, private: Key) {
        if config.identity.as_ref().is_some_and(|identity| identity.private() == private) {
            return;
        }
        config.identity = (private != [0; 32]).then(|| Arc::new(Identity::new(private)));
        let public = config.identity.as_ref().map(|identity| identity.public);
        if let Some(public) = public {
            self.remove(config, &public);
        }
        for peer in config.peers.values() {
            self.forget_sessions(peer);
            peer.slow().shared = config.identity.as_ref().and_then(|me| me.shared(&peer.public).ok());
        }
        let checker = public.map(|public| Checker::new(&public, self.random()));
        *self.guard.lock().expect("no panic holds this lock") = Guard::new(checker);
    }

    /// Returns the peer when its keepalive was switched on.
    fn change_peer(&self, config: &mut Config, change: &PeerChange) -> Option<Arc<Peer>> {
        if change.remove {
            self.remove(config, &change.public);
            return None;
        }
        let is_own = config.identity.as_ref().is_some_and(|identity| identity.public == change.public);
        let known = config.peers.get(&change.public).cloned();
        let peer = match known {
            Some(peer) => peer,
            None if change.update_only || is_own => return None,
            None => config.add(change.public),
        };
        if let Some(preshared) = change.preshared {
            peer.slow().preshared = preshared;
        }
        if let Some(endpoint) = change.endpoint {
            peer.set_endpoint(endpoint);
        }
        config.change_via(&peer, change);
        if let Some(address) = change.bridge {
            config.ports.insert(peer.id, address);
        }
        if let Some(rules) = &change.access {
            config.access.insert(peer.id, Arc::new(Access::new(rules.clone())));
        }
        config.change_allowed(peer.id, change);
        let seconds = change.keepalive?;
        let before = peer.keepalive.swap(u64::from(seconds) * 1000, Relaxed);
        (before == 0 && seconds != 0).then_some(peer)
    }

    fn remove(&self, config: &mut Config, key: &Key) {
        let Some(peer) = config.peers.remove(key) else { return };
        peer.removed.store(true, Relaxed);
        config.by_id[peer.id as usize] = None;
        config.allowed.retain(|_, owner| *owner != peer.id);
        config.owners.remove(&peer.id);
        config.access.remove(&peer.id);
        config.ports.remove(&peer.id);
        self.switch.lock().expect("no panic holds this lock").forget(Port::Peer(peer.id));
        peer.timers.stop();
        self.forget_sessions(&peer);
    }

    /// What waited for an endpoint goes out when it is there.
    fn send_waiting(&self, now: Now, change: &Change, out: &mut Out) {
        let mut table = self.table();
        let table = table.get(&self.table);
        for change in change.peers.iter().filter(|change| change.endpoint.is_some()) {
            if let Some(peer) = table.by_key.get(&change.public)
                && !peer.slow().staged.is_empty()
            {
                self.send_staged(now, peer, out);
            }
        }
    }
}

impl Config {
    fn bridge(&self, here: IpAddr) -> Bridge {
        let port = |(id, at): (&u32, &IpAddr)| Some((self.by_id[*id as usize].clone()?, *at));
        Bridge { here, ports: self.ports.iter().filter_map(port).collect() }
    }

    fn add(&mut self, public: Key) -> Arc<Peer> {
        let shared = self.identity.as_ref().and_then(|me| me.shared(&public).ok());
        let free = self.by_id.iter().position(Option::is_none).unwrap_or(self.by_id.len());
        let peer = Arc::new(Peer::new(public, free as u32, shared));
        if free == self.by_id.len() {
            self.by_id.push(None);
        }
        self.by_id[free] = Some(peer.clone());
        self.peers.insert(public, peer.clone());
        peer
    }

    /// An outer peer that is not there, or would lead in a circle, leaves the peer without a way rather than on the
    /// way it must not take.
    fn change_via(&self, peer: &Arc<Peer>, change: &PeerChange) {
        let before = peer.via();
        let source = change.via_source.or(before.as_ref().map(|via| via.source));
        match (change.via, source) {
            (Some(key), _) if key == [0; 32] => peer.set_via(None),
            (Some(key), Some(source)) => {
                let outer = self.peers.get(&key).filter(|outer| !is_circle(peer, outer));
                peer.set_via(Some(Via { outer: outer.map_or_else(Weak::new, Arc::downgrade), source }));
            }
            (None, Some(source)) => {
                if let Some(via) = before {
                    peer.set_via(Some(Via { source, ..via }));
                }
            }
            _ => {}
        }
    }

    /// A prefix has one owner; giving it to a peer takes it from another.
    fn change_allowed(&mut self, owner: Owner, change: &PeerChange) {
        // A new peer has none, and ten thousand new ones would each go over all others'.
        if change.replace_allowed && self.owners.contains(&owner) {
            self.owners.remove(&owner);
            self.allowed.retain(|_, other| *other != owner);
        }
        for allowed in &change.allowed {
            match allowed {
                AllowedChange::Add(prefix) => {
                    self.owners.insert(owner);
                    self.allowed.insert(*prefix, owner);
                }
                AllowedChange::Remove(prefix) => {
                    if self.allowed.get(prefix) == Some(&owner) {
                        self.allowed.remove(prefix);
                    }
                }
            }
        }
    }

    fn table(&self) -> Table {
        Table {
            identity: self.identity.clone(),
            by_key: self.peers.clone(),
            by_id: self.by_id.clone(),
            allowed: AllowedIps::build(&self.allowed),
            inside: self.inside,
            access: self.access.clone(),
            bridge: self.bridge.map(|here| self.bridge(here)),
            chain_sources: self.peers.values().filter_map(|peer| peer.via()).map(|via| via.source).collect(),
        }
    }
}

impl Peer {
    fn report(&self, allowed: Vec<Prefix>, access: Option<Arc<Access>>) -> PeerReport {
        PeerReport {
            public: self.public,
            preshared: self.slow().preshared,
            endpoint: self.address(),
            last_handshake_ns: self.last_handshake.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            received_bytes: self.received_bytes.load(Relaxed),
            keepalive: self.keepalive.load(Relaxed) / 1000,
            allowed,
            is_silent: self.timers.silent.load(Relaxed),
            round_trip_ms: self.timers.round_trip.load(Relaxed),
            path_limit: self.path.limit(),
            refused: self.refused.load(Relaxed),
            access,
            via: self
                .via()
                .map(|via| (via.outer.upgrade().map_or([0; 32], |outer| outer.public), via.source)),
        }
    }
}
