//! A file as the kernel itself tells it apart: the number of its filesystem's device, its inode's number, and the
//! inode's generation. What stat(2) says is another thing on btrfs and overlayfs, which show a device number of their
//! own making; the kernel's is in the table of mounts.

use std::fs;
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use crate::sys::{self, Doing, Errno, Outcome};

/// `device:inode:generation`, generation 0 where the filesystem does not tell it. Symbolic links are followed.
pub fn file_key(path: &str) -> Outcome<String> {
    key(path).doing(format!("reading the key of {path}"))
}

fn key(path: &str) -> Result<String, Errno> {
    let about = fs::metadata(path).map_err(|error| errno(&error))?;
    if !about.is_file() {
        return Err(Errno(libc::EISDIR));
    }
    let file = sys::open(path, libc::O_PATH)?;
    let info =
        fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).map_err(|e| errno(&e))?;
    let field = |name: &str| info.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<u64>().ok());
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| errno(&e))?;
    let device =
        device_of(&mounts, field("mnt_id:").ok_or(Errno(libc::ENOENT))?).ok_or(Errno(libc::ENOENT))?;
    // told since Linux 5.14
    let inode = field("ino:").unwrap_or(about.ino());
    Ok(format!("{device}:{inode}:{}", generation(path)))
}

/// The device's number as the kernel keeps it: 12 bits and 20 (linux/kdev_t.h).
fn device_of(mounts: &str, id: u64) -> Option<u64> {
    let line = mounts.lines().find(|l| l.split(' ').next() == Some(id.to_string().as_str()))?;
    let (major, minor) = line.split(' ').nth(2)?.split_once(':')?;
    Some(major.parse::<u64>().ok()? << 20 | minor.parse::<u64>().ok()?)
}

fn generation(path: &str) -> u32 {
    let Ok(file) = sys::open(path, libc::O_RDONLY | libc::O_NONBLOCK) else { return 0 };
    // SAFETY: FS_IOC_GETVERSION writes an int, some filesystems a long: there is room for it
    unsafe {
        let mut value: libc::c_long = zeroed();
        match libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETVERSION as _, &raw mut value) {
            0 => value as u32,
            _ => 0,
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_that_of_the_table_of_mounts() {
        let mounts = "23 1 254:0 / / rw - ext4 /dev/vda rw\n123 23 0:41 / /home rw - btrfs /dev/vdb rw\n";
        assert_eq!(device_of(mounts, 23), Some(254 << 20));
        assert_eq!(device_of(mounts, 123), Some(41));
        assert_eq!(device_of(mounts, 3), None);
    }

    #[test]
    fn folders_and_what_is_not_there_have_no_key() {
        assert_eq!(file_key("/proc/nothing").map_err(|f| f.errno), Err(Errno(libc::ENOENT)));
        assert_eq!(file_key("/").map_err(|f| f.errno), Err(Errno(libc::EISDIR)));
    }
}
