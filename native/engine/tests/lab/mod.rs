//! Two machines in network namespaces of our own, joined by one cable, with an engine on each.
//!
//! ```text
//! a  192.168.77.1 fd77::1 ──veth── 192.168.77.2 fd77::2  b        inside: 10.77.0.1 fd78::1 and 10.77.0.2 fd78::2
//! ```
//! Needs root, iproute2, and wireguard-go where it is the other end. Everything is removed when the lab is dropped.
#![allow(dead_code)] // each test file uses its own part

pub mod guest;
pub mod peers;
pub mod relay;
pub mod traffic;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use culvert_engine::noise::handshake::Identity;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Culvert,
    /// Culvert on a TUN without the virtio header.
    CulvertPlain,
    /// Culvert with its UDP sockets handed over.
    CulvertGiven,
    /// Culvert whose clocks and writes a test changes (examples/faults.rs).
    CulvertFaulty,
    /// The system's.
    WireguardGo,
    /// The newest, built by us, as are the others ([`peers`]).
    NewestWireguardGo,
    Gotatun,
    Boringtun,
}

impl Kind {
    pub fn is_culvert(self) -> bool {
        matches!(self, Self::Culvert | Self::CulvertPlain | Self::CulvertGiven | Self::CulvertFaulty)
    }
}

pub const PORT: u16 = 51820;

pub struct Lab {
    pub a: Machine,
    pub b: Machine,
}

pub struct Machine {
    pub namespace: String,
    pub interface: String,
    pub kind: Kind,
    pub identity: Identity,
    pub number: u8,
    engine: Option<Child>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Lab {
    pub fn new(a: Kind, b: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let tag = format!("{:x}n{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut lab = Self { a: Machine::new(&tag, 1, a), b: Machine::new(&tag, 2, b) };
        let cable = format!("v{tag}");
        ip(&["netns", "add", &lab.a.namespace]);
        ip(&["netns", "add", &lab.b.namespace]);
        let ends =
            ["netns", &lab.a.namespace, "type", "veth", "peer", "name", &cable, "netns", &lab.b.namespace];
        ip(&[&["link", "add", &cable], &ends[..]].concat());
        for machine in [&mut lab.a, &mut lab.b] {
            machine.address(&cable, &format!("192.168.77.{}/24", machine.number));
            machine.address(&cable, &format!("fd77::{}/64", machine.number));
            machine.ip(&["link", "set", "lo", "up"]);
            machine.ip(&["link", "set", &cable, "up"]);
            machine.start();
            machine.address(&machine.interface.clone(), &format!("10.77.0.{}/24", machine.number));
            machine.address(&machine.interface.clone(), &format!("fd78::{}/64", machine.number));
            machine.ip(&["link", "set", &machine.interface, "mtu", "1420", "txqueuelen", "10000", "up"]);
        }
        lab
    }

    /// Only `a` knows where the other is.
    pub fn connect(&self, endpoint: &str) {
        self.a.set(&format!("private_key={}\n{}endpoint={endpoint}\n", self.a.private(), peer(&self.b)));
        self.b.set(&format!("private_key={}\nlisten_port={PORT}\n{}", self.b.private(), peer(&self.a)));
    }

    pub fn cable(&self) -> String {
        format!("v{}", &self.a.namespace[2..self.a.namespace.len() - 1])
    }
}

fn peer(of: &Machine) -> String {
    let (public, n) = (hex(&of.identity.public), of.number);
    let preshared = "5a".repeat(32);
    format!(
        "public_key={public}\npreshared_key={preshared}\nallowed_ip=10.77.0.{n}/32\nallowed_ip=fd78::{n}/128\n"
    )
}

impl Machine {
    fn new(tag: &str, number: u8, kind: Kind) -> Self {
        let side = if number == 1 { "a" } else { "b" };
        Self {
            namespace: format!("cv{tag}{side}"),
            interface: format!("w{tag}{side}"),
            kind,
            identity: Identity::new([number; 32]),
            number,
            engine: None,
            lines: Arc::default(),
        }
    }

    pub fn start(&mut self) {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_culvert-engine"));
        let starter = binary.with_file_name("examples").join("stand_alone");
        assert!(
            starter.exists(),
            "{} is missing: run `cargo build --examples` in the same profile",
            starter.display()
        );
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        match self.kind {
            Kind::WireguardGo => {
                command.args(["env", "LOG_LEVEL=error", "wireguard-go", "-f", &self.interface])
            }
            Kind::NewestWireguardGo => command
                .args(["env", "LOG_LEVEL=error", "WG_PROCESS_FOREGROUND=1"])
                .arg(peers::program(self.kind))
                .args(["-f", &self.interface]),
            Kind::Gotatun => command.arg(peers::program(self.kind)).args([
                "-f",
                "--disable-drop-privileges",
                &self.interface,
            ]),
            // Its sockets are else connected, and so bound to the address the machine had.
            Kind::Boringtun => command.arg(peers::program(self.kind)).args([
                "-f",
                "--disable-drop-privileges",
                "--disable-connected-udp",
                &self.interface,
            ]),
            Kind::CulvertPlain => {
                command.args([starter.as_path(), &binary, Path::new(&self.interface), Path::new("plain")])
            }
            _ => command.args([starter.as_path(), &binary, Path::new(&self.interface)]),
        };
        if self.kind == Kind::CulvertGiven {
            command.env("CULVERT_UDP_PORT", PORT.to_string());
            command.env("CULVERT_ENGINE_UID", "65534").env("CULVERT_ENGINE_GID", "65534");
        }
        if self.kind == Kind::CulvertFaulty {
            std::fs::write(self.faults(), [0; 32]).expect("a file beside the lab");
            command.env("LD_PRELOAD", binary.with_file_name("examples").join("libfaults.so"));
            command.env("CULVERT_FAULTS", self.faults());
        }
        if self.kind.is_culvert() {
            command.env("CULVERT_TAP", format!("t{}", self.interface));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("starting `ip netns exec` (iproute2)");
        for stream in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let lines = self.lines.clone();
            std::thread::spawn(move || {
                BufReader::new(stream)
                    .lines()
                    .map_while(Result::ok)
                    .for_each(|line| lines.lock().unwrap().push(line));
            });
        }
        self.engine = Some(child);
        wait_until("the UAPI socket answers", || UnixStream::connect(self.socket()).is_ok());
    }

    /// A further engine on the same machine, with nothing configured.
    pub fn beside(&self, kind: Kind) -> Self {
        let mut machine = Self {
            namespace: self.namespace.clone(),
            interface: format!("{}x", self.interface),
            kind,
            identity: Identity::new([self.number + 10; 32]),
            number: self.number,
            engine: None,
            lines: Arc::default(),
        };
        machine.start();
        machine
    }

    pub fn kill(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            let _ = engine.kill();
            let _ = engine.wait();
        }
    }

    /// The exit code of an engine that ends by itself.
    pub fn wait(&mut self) -> Option<i32> {
        self.engine.take().expect("the engine runs").wait().expect("waiting for a child").code()
    }

    pub fn pid(&self) -> u32 {
        self.engine.as_ref().expect("the engine runs").id()
    }

    /// Lines the engine wrote, on stdout and stderr.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn socket(&self) -> String {
        format!("/var/run/wireguard/{}.sock", self.interface)
    }

    fn faults(&self) -> PathBuf {
        std::env::temp_dir().join(format!("faults-{}", self.interface))
    }

    /// Sets one of the numbers of examples/faults.rs.
    pub fn set_fault(&self, number: u64, value: i64) {
        let file = File::options().write(true).open(self.faults()).expect("the engine is of that kind");
        file.write_all_at(&value.to_ne_bytes(), number * 8).expect("writing");
    }

    /// A counter of refusals, from the answer to `get=culvert`.
    pub fn refused(&self, reason: &str) -> u64 {
        let answer = self.ask("get=culvert\n\n");
        let count = answer.lines().find_map(|line| line.strip_prefix(&format!("refused_{reason}=")));
        count.and_then(|count| count.parse().ok()).expect("the counter")
    }

    pub fn private(&self) -> String {
        hex(&self.identity.private())
    }

    pub fn ask(&self, request: &str) -> String {
        self.ask_handing(request, &[])
    }

    /// A request with descriptors (SCM_RIGHTS).
    pub fn ask_handing(&self, request: &str, fds: &[RawFd]) -> String {
        let mut stream = UnixStream::connect(self.socket()).expect("connecting to the UAPI socket");
        if fds.is_empty() {
            stream.write_all(request.as_bytes()).unwrap();
        } else {
            hand(&stream, request.as_bytes(), fds);
        }
        let mut answer = String::new();
        let mut reader = BufReader::new(stream);
        while reader.read_line(&mut answer).unwrap() > 1 {}
        answer
    }

    pub fn set(&self, lines: &str) {
        let answer = self.ask(&format!("set=1\n{lines}\n"));
        assert_eq!(answer, "errno=0\n\n", "set on {:?}: {lines}", self.kind);
    }

    /// The value of a key in the answer to `get=1`.
    pub fn get(&self, key: &str) -> String {
        let answer = self.ask("get=1\n\n");
        let line = answer.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        line.unwrap_or_default().to_owned()
    }

    pub fn ip(&self, args: &[&str]) {
        ip(&[&["-n", &self.namespace], args].concat());
    }

    pub fn address(&self, link: &str, address: &str) {
        let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
        self.ip(&[&["addr", "add", address, "dev", link], nodad].concat());
    }

    /// Runs `act` on a thread inside the namespace; sockets made there stay there.
    pub fn inside<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let path = format!("/var/run/netns/{}", self.namespace);
        std::thread::spawn(move || {
            let namespace = File::open(path).expect("opening the namespace");
            // SAFETY: an open descriptor of a network namespace; only this thread moves.
            let moved = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(moved, 0, "setns needs root");
            act()
        })
    }
}

fn hand(stream: &UnixStream, bytes: &[u8], fds: &[RawFd]) {
    #[repr(align(8))]
    struct Control([u8; 64]);
    let (mut control, len) = (Control([0; 64]), size_of_val(fds));
    let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: the header points to bytes and a control buffer that outlive the call; the buffer has room for 12 descriptors.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        (header.msg_iov, header.msg_iovlen) = (&raw mut vector, 1);
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE(len as u32) as _;
        let message = libc::CMSG_FIRSTHDR(&header);
        ((*message).cmsg_level, (*message).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        (*message).cmsg_len = libc::CMSG_LEN(len as u32) as _;
        std::ptr::copy_nonoverlapping(fds.as_ptr().cast(), libc::CMSG_DATA(message), len);
        assert_eq!(libc::sendmsg(stream.as_raw_fd(), &header, 0), bytes.len() as isize, "sendmsg");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_file(self.faults());
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).stderr(Stdio::null()).status();
        if std::thread::panicking() {
            eprintln!("{} {:?}: {:#?}", self.namespace, self.kind, self.lines());
        }
    }
}

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("running `ip` (iproute2)");
    assert!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        pause(20);
    }
    panic!("ten seconds passed and it is not so that {what}");
}

#[allow(clippy::disallowed_methods)] // a test waits for other processes
pub fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

pub fn inside_of(number: u8, is_v6: bool, port: u16) -> SocketAddr {
    let text = if is_v6 { format!("[fd78::{number}]:{port}") } else { format!("10.77.0.{number}:{port}") };
    text.parse().unwrap()
}
