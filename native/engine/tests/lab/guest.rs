//! A virtual machine with Debian's kernel, for the WireGuard that is in it: qemu without acceleration, a kernel package
//! from apt, and an initramfs of busybox, wg and the modules that are needed.
//!
//! ```text
//! a  192.168.77.1 fd77::1 ──tap── 192.168.77.2 fd77::2  the guest      inside: 10.77.0.1 and 10.77.0.2, wg0 on port 51820
//! ```
//! In the guest a shell listens on TCP port 7000 of the tap, and the example `echo` on 9000 and 9001.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Kind, Machine, ip, pause, peers};

/// Loaded with what they need, in this order.
const MODULES: [&str; 3] = ["virtio_pci", "virtio_net", "wireguard"];

pub struct Guest {
    qemu: Child,
    pub console: PathBuf,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.console).unwrap_or_default());
        }
    }
}

/// An engine, and the guest on the other end of its cable.
pub fn lab() -> (Machine, Guest) {
    let tag = format!("{:x}k", std::process::id());
    let mut a = Machine::new(&tag, 1, Kind::Culvert);
    let tap = format!("v{tag}");
    ip(&["netns", "add", &a.namespace]);
    a.ip(&["tuntap", "add", "dev", &tap, "mode", "tap"]);
    a.address(&tap, "192.168.77.1/24");
    a.address(&tap, "fd77::1/64");
    a.ip(&["link", "set", &tap, "up"]);
    let guest = boot(&a, &tap);
    a.start();
    a.address(&a.interface.clone(), "10.77.0.1/24");
    a.ip(&["link", "set", &a.interface, "mtu", "1420", "txqueuelen", "10000", "up"]);
    (a, guest)
}

impl Guest {
    /// What a shell in the guest prints. It is told to end, so that its end says that all was done.
    pub fn sh(&self, a: &Machine, script: &str) -> String {
        let script = format!("{{ {script}\n}} 2>&1; exit\n");
        let run = move || -> std::io::Result<String> {
            let address = SocketAddr::from(([192, 168, 77, 2], 7000));
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.write_all(script.as_bytes())?;
            stream.shutdown(Shutdown::Write)?;
            let mut said = String::new();
            stream.read_to_string(&mut said)?;
            Ok(said)
        };
        for _ in 0..150 {
            match a.inside(run.clone()).join().unwrap() {
                Ok(said) => return said,
                Err(_) => pause(1_000),
            }
        }
        panic!("the guest's shell does not answer");
    }
}

fn boot(a: &Machine, tap: &str) -> Guest {
    let folder = peers::cache().join("kernel");
    let (kernel, modules) = fetch(&folder);
    let initramfs = folder.join("initramfs");
    pack(&folder, &modules, &initramfs);
    let console = folder.join("console");
    let out = fs::File::create(&console).expect("a file for the console");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &a.namespace, "qemu-system-x86_64", "-accel", "tcg", "-m", "256"]);
    // WireGuard drops handshakes until there is randomness, which such a machine is else long without.
    command.args(["-cpu", "qemu64,+rdrand"]);
    command.args(["-nographic", "-no-reboot", "-append", "console=ttyS0 panic=-1 quiet"]);
    command.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    command.args(["-netdev", &format!("tap,id=n,ifname={tap},script=no,downscript=no")]);
    command.args(["-device", "virtio-net-pci,netdev=n,romfile="]);
    let qemu = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::inherit()).spawn();
    Guest { qemu: qemu.expect("starting qemu-system-x86_64"), console }
}

/// The kernel of the distribution, unpacked; its image and the folder of its modules.
fn fetch(folder: &Path) -> (PathBuf, PathBuf) {
    let root = folder.join("root");
    if !root.join("boot").exists() {
        fs::create_dir_all(folder).unwrap();
        let depends = done(Command::new("apt-cache").args(["depends", "linux-image-amd64"]));
        let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        let package = package.expect("linux-image-amd64 depends on an image");
        done(Command::new("apt-get").args(["download", package]).current_dir(folder));
        let deb = entry(folder, "linux-image-");
        done(Command::new("dpkg").arg("-x").arg(deb).arg(&root));
        let release = entry(&root.join("lib/modules"), "");
        done(Command::new("depmod").arg("-b").arg(&root).arg(release.file_name().unwrap()));
    }
    (entry(&root.join("boot"), "vmlinuz-"), entry(&root.join("lib/modules"), ""))
}

fn entry(folder: &Path, prefix: &str) -> PathBuf {
    let mut all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(prefix);
    all.find(is).unwrap_or_else(|| panic!("{prefix}… in {}", folder.display()))
}

/// The guest's files: busybox, wg and the echo with their libraries, modules, and an init.
fn pack(folder: &Path, modules: &Path, initramfs: &Path) {
    let files = folder.join("files");
    let _ = fs::remove_dir_all(&files);
    for name in ["bin", "proc", "sys", "dev", "modules"] {
        fs::create_dir_all(files.join(name)).unwrap();
    }
    let engine = PathBuf::from(env!("CARGO_BIN_EXE_culvert-engine"));
    let echo = engine.with_file_name("examples").join("echo");
    for (program, name) in
        [(Path::new("/bin/busybox"), "busybox"), (Path::new("/usr/bin/wg"), "wg"), (&echo, "echo-back")]
    {
        fs::copy(program, files.join("bin").join(name))
            .unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let libraries = Command::new("ldd").arg(program).output().unwrap();
        for word in
            String::from_utf8_lossy(&libraries.stdout).split_whitespace().filter(|w| w.starts_with('/'))
        {
            let place = files.join(&word[1..]);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(word, place).unwrap();
        }
    }
    let mut insmod = String::new();
    for name in needed(modules) {
        let file = Path::new(&name).file_name().unwrap();
        fs::copy(modules.join(&name), files.join("modules").join(file)).unwrap();
        insmod += &format!("insmod /modules/{}\n", file.to_string_lossy());
    }
    fs::write(files.join("init"), INIT.replace("INSMOD\n", &insmod)).unwrap();
    done(Command::new("chmod").arg("755").arg(files.join("init")));
    let find = "find . | cpio --quiet -o -H newc > \"$0\"";
    done(Command::new("sh").args(["-c", find]).arg(initramfs).current_dir(&files));
}

/// Modules and what they need, the needed first (modules.dep lists it last).
fn needed(modules: &Path) -> Vec<String> {
    let text = fs::read_to_string(modules.join("modules.dep")).unwrap();
    let mut all: Vec<String> = Vec::new();
    for module in MODULES {
        let is = |line: &&str| line.split(':').next().unwrap().ends_with(&format!("/{module}.ko"));
        let (file, needs) = text.lines().find(is).and_then(|line| line.split_once(':')).expect("the module");
        for name in needs.split_whitespace().rev().chain([file]) {
            if !all.iter().any(|known| known == name) {
                all.push(name.to_owned());
            }
        }
    }
    all
}

const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
INSMOD
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up
ip addr add 192.168.77.2/24 dev eth0
ip addr add fd77::2/64 dev eth0
ip link set eth0 up
ip link add wg0 type wireguard
ip addr add 10.77.0.2/24 dev wg0
ip link set wg0 mtu 1420 up
echo-back &
while true; do nc -l -p 7000 -e sh; done
";

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
