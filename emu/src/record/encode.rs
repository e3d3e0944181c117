//! The canonical bytes of an event: a tag, the time, then every field as little-endian words, and text and bytes with their length.
//!
//! What the digest is made of. Changing anything here changes every digest.

use kernel_model::{Access, Event};
use msglayer::SimTime;

/// Appends the bytes of `event` to `out`.
pub(super) fn encode(at: SimTime, event: &Event<'_>, out: &mut Vec<u8>) {
    let mut bytes = Bytes { out };
    bytes.word(at.as_ps());
    match *event {
        Event::NodeOnline { peer } => bytes.words(1, &[peer.index() as u64]),
        Event::Exec { tgid, path } => {
            bytes.words(2, &[tgid.0 as u64]);
            bytes.slice(path.as_bytes());
        }
        Event::Clone { parent, child } => bytes.words(3, &[parent.0 as u64, child.0 as u64]),
        Event::Syscall {
            pid,
            name,
            number,
            args,
            ret,
        } => {
            bytes.words(4, &[pid.0 as u64, number]);
            bytes.slice(name.as_bytes());
            for arg in args {
                bytes.word(arg);
            }
            bytes.word(ret);
        }
        Event::Unimplemented { pid, name, number } => {
            bytes.words(5, &[pid.0 as u64, number]);
            bytes.slice(name.as_bytes());
        }
        Event::PageFault {
            pid,
            pc,
            addr,
            access,
            result,
        } => {
            let access = match access {
                Access::Read => 0,
                Access::Write => 1,
                Access::Fetch => 2,
            };
            bytes.words(6, &[pid.0 as u64, pc.0, addr.0, access, u64::from(result)]);
        }
        Event::Send {
            to,
            kind,
            bytes: message,
        } => {
            bytes.words(7, &[to.index() as u64, u64::from(kind.number())]);
            bytes.slice(message);
        }
        Event::Receive { from, kind, size } => bytes.words(
            8,
            &[from.index() as u64, u64::from(kind.number()), size as u64],
        ),
        Event::MigrateOut {
            pid,
            to,
            pc,
            sp,
            resume_pc,
            resume_sp,
            back,
        } => {
            bytes.words(
                9,
                &[
                    pid.0 as u64,
                    to.index() as u64,
                    pc.0,
                    sp.0,
                    resume_pc.0,
                    resume_sp.0,
                    u64::from(back),
                ],
            );
        }
        Event::MigrateIn {
            pid,
            from,
            from_pid,
            pc,
            sp,
            back,
        } => {
            bytes.words(
                10,
                &[
                    pid.0 as u64,
                    from.index() as u64,
                    from_pid.0 as u64,
                    pc.0,
                    sp.0,
                    u64::from(back),
                ],
            );
        }
        Event::PageGranted {
            pid,
            addr,
            write,
            data,
        } => {
            bytes.words(
                11,
                &[pid.0 as u64, addr.0, u64::from(write), u64::from(data)],
            );
        }
        Event::PageRevoked { addr, keeps_read } => {
            bytes.words(12, &[addr.0, u64::from(keeps_read)])
        }
        Event::Refused { home, why } => {
            bytes.words(13, &[home.index() as u64]);
            bytes.slice(why.as_bytes());
        }
        Event::Exit { pid, code } => bytes.words(14, &[pid.0 as u64, code as u64]),
        Event::Signal { pid, signal } => bytes.words(15, &[pid.0 as u64, signal as u64]),
        Event::Output { fd, bytes: written } => {
            bytes.words(16, &[fd as u64]);
            bytes.slice(written);
        }
        Event::Log { text } => {
            bytes.words(17, &[]);
            bytes.slice(text.as_bytes());
        }
    }
}

struct Bytes<'a> {
    out: &'a mut Vec<u8>,
}

impl Bytes<'_> {
    fn word(&mut self, word: u64) {
        self.out.extend_from_slice(&word.to_le_bytes());
    }

    fn words(&mut self, tag: u8, words: &[u64]) {
        self.out.push(tag);
        for word in words {
            self.word(*word);
        }
    }

    fn slice(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }
}
