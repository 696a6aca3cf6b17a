//! Other implementations of WireGuard, of fixed versions, built once from their registries into the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Kind;

const WIREGUARD_GO: &str = "v0.0.0-20260522210424-ecfc5a8d5446";
const GOTATUN: &str = "0.10.2";
const BORINGTUN: &str = "0.7.1";

/// Its path; it must have been built.
pub fn program(kind: Kind) -> PathBuf {
    match kind {
        Kind::NewestWireguardGo => cache().join(format!("wireguard-go-{WIREGUARD_GO}/wireguard")),
        Kind::Gotatun => cache().join(format!("gotatun-{GOTATUN}/bin/gotatun")),
        Kind::Boringtun => cache().join(format!("boringtun-{BORINGTUN}/bin/boringtun-cli")),
        _ => unreachable!("{kind:?} is no peer that is built"),
    }
}

/// Builds it unless it is there. Needs a network, and takes some minutes.
pub fn build(kind: Kind) {
    let program = program(kind);
    if program.exists() {
        return;
    }
    let folder = program.parent().expect("a path in the cache");
    match kind {
        Kind::NewestWireguardGo => {
            let module = format!("golang.zx2c4.com/wireguard@{WIREGUARD_GO}");
            done(Command::new("go").args(["install", &module]).env("GOBIN", folder));
        }
        Kind::Gotatun => install(&format!("gotatun-cli@{GOTATUN}"), folder),
        _ => install(&format!("boringtun-cli@{BORINGTUN}"), folder),
    }
}

fn install(package: &str, bin: &Path) {
    let root = bin.parent().expect("bin has a folder above");
    done(Command::new("cargo").args(["install", "--locked", package, "--root"]).arg(root));
}

fn done(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("culvert/peers")
}
