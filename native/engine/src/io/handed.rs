//! Descriptors that come with a request over the UAPI socket (SCM_RIGHTS, unix(7)).

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::sys::check;

/// Most that are taken with one request: a UDP socket for each family. The kernel closes what does not fit.
pub const MOST: usize = 2;

/// CMSG_SPACE of so many descriptors, aligned as a control message must be.
#[repr(align(8))]
struct Control([u8; 16 + MOST * size_of::<RawFd>()]);

/// Reads like `read`; descriptors that came with the bytes are added to `handed`.
pub fn read(stream: &UnixStream, buffer: &mut [u8], handed: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut control = Control([0; _]);
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a plain struct for which zeros are a valid value.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len() as _;
    // SAFETY: the header points to `buffer` and `control` with their lengths, and both outlive the call.
    let got = unsafe { libc::recvmsg(stream.as_raw_fd(), &mut header, libc::MSG_CMSG_CLOEXEC) };
    check(got as libc::c_int)?;
    // SAFETY: the kernel filled the header's control buffer; CMSG_* stay within what it says of its length.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            if ((*message).cmsg_level, (*message).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let len = (*message).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let first = libc::CMSG_DATA(message).cast::<RawFd>();
                for i in 0..len / size_of::<RawFd>() {
                    // Each was made for this process by this call, and nobody else owns it.
                    handed.push(OwnedFd::from_raw_fd(first.add(i).read_unaligned()));
                }
            }
            message = libc::CMSG_NXTHDR(&header, message);
        }
    }
    Ok(got as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::io::sys::Bell;

    /// Sends one message with these descriptors.
    fn send(stream: &UnixStream, text: &[u8], fds: &[RawFd]) {
        #[repr(align(8))]
        struct Room([u8; 64]);
        let mut room = Room([0; 64]);
        let mut vector = libc::iovec { iov_base: text.as_ptr().cast_mut().cast(), iov_len: text.len() };
        // SAFETY: as in `read`; the room is enough for four descriptors.
        unsafe {
            let mut header: libc::msghdr = zeroed();
            header.msg_iov = &raw mut vector;
            header.msg_iovlen = 1;
            header.msg_control = room.0.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(size_of_val(fds) as u32) as _;
            let message = libc::CMSG_FIRSTHDR(&header);
            (*message).cmsg_level = libc::SOL_SOCKET;
            (*message).cmsg_type = libc::SCM_RIGHTS;
            (*message).cmsg_len = libc::CMSG_LEN(size_of_val(fds) as u32) as _;
            std::ptr::copy_nonoverlapping(fds.as_ptr().cast(), libc::CMSG_DATA(message), size_of_val(fds));
            assert_eq!(libc::sendmsg(stream.as_raw_fd(), &header, 0), text.len() as isize);
        }
    }

    #[test]
    fn a_descriptor_that_came_is_the_one_that_was_sent() {
        let (near, far) = UnixStream::pair().unwrap();
        let bell = Bell::new().unwrap();
        send(&near, b"with one", &[bell.fd()]);
        let (mut buffer, mut handed) = ([0; 100], Vec::new());
        assert_eq!(read(&far, &mut buffer, &mut handed).unwrap(), 8);
        assert_eq!(handed.len(), 1);
        bell.ring();
        let mut count = [0; 8];
        // SAFETY: eight bytes are written to `count`.
        let got = unsafe { libc::read(handed[0].as_raw_fd(), count.as_mut_ptr().cast(), 8) };
        assert_eq!((got, u64::from_ne_bytes(count)), (8, 1), "it is the same counter");
        (&near).write_all(b"with none").unwrap();
        assert_eq!(read(&far, &mut buffer, &mut handed).unwrap(), 9);
        assert_eq!(handed.len(), 1);
    }

    #[test]
    fn more_descriptors_than_fit_are_closed_by_the_kernel() {
        let (near, far) = UnixStream::pair().unwrap();
        let bells: Vec<_> = (0..4).map(|_| Bell::new().unwrap()).collect();
        send(&near, b"with four", &bells.iter().map(Bell::fd).collect::<Vec<_>>());
        let mut handed = Vec::new();
        read(&far, &mut [0; 100], &mut handed).unwrap();
        assert_eq!(handed.len(), MOST);
    }
}
