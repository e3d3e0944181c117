//! What the messages of a migration were for, in words.

use std::collections::BTreeMap;
use std::fmt;

use msglayer::MessageType;
use msglayer::types::MESSAGE_TYPES;

use super::grouped;
use super::lines::under;
use crate::record::journey::Traffic;

/// A table of messages; a request and its answer are one row where both were sent.
pub fn table(f: &mut fmt::Formatter<'_>, traffic: &Traffic) -> fmt::Result {
    let mut rows: BTreeMap<&str, (u64, u64, Vec<&str>)> = BTreeMap::new();
    let mut order = Vec::new();
    for (kind, (count, bytes)) in traffic {
        let meaning = meaning(*kind);
        let row = rows.entry(meaning).or_insert_with(|| {
            order.push(meaning);
            (0, 0, Vec::new())
        });
        row.0 += count;
        row.1 += bytes;
        row.2.push(name(*kind));
    }
    for meaning in order {
        let (count, bytes, names) = &rows[meaning];
        under(f, &format!("{count:>4} x {:>7} bytes  {meaning}", grouped(*bytes)))?;
        for pair in names.chunks(2) {
            under(f, &format!("{:23}[{}]", "", pair.join(", ")))?;
        }
    }
    Ok(())
}

/// Numbers and bytes of all.
pub fn sum(traffic: &Traffic) -> (u64, u64) {
    traffic.values().fold((0, 0), |(count, bytes), (n, b)| (count + n, bytes + b))
}

fn name(kind: MessageType) -> &'static str {
    MESSAGE_TYPES[usize::from(kind.number())].name
}

/// What a message is for.
fn meaning(kind: MessageType) -> &'static str {
    match kind {
        MessageType::NodeInfo => "nodes introduce themselves",
        MessageType::TaskMigrate => "the thread's registers and the outline of its process",
        MessageType::TaskMigrateBack => "the thread's registers, on their way home",
        MessageType::TaskPairing => "\"your thread runs here now\"",
        MessageType::TaskExitOrigin | MessageType::TaskExitRemote => "a thread or the process has ended",
        MessageType::VmaInfoRequest | MessageType::VmaInfoResponse => "\"what belongs at this address?\", with the answer",
        MessageType::VmaOpRequest | MessageType::VmaOpResponse => "memory is mapped, unmapped or protected",
        MessageType::RemotePageRequest => "\"I need this page\", to read or to write",
        MessageType::RemotePageResponse => "a page, all 4,096 bytes of it",
        MessageType::RemotePageResponseShort => "\"you have it already: you may write it now\"",
        MessageType::PageInvalidateRequest | MessageType::PageInvalidateResponse => "\"forget your copy, I write\", with the answer",
        MessageType::FutexRequest | MessageType::FutexResponse => "a lock or a wait, done at home",
        MessageType::SyscallFwd | MessageType::SyscallRep => "a system call that home does for the thread (its files are there)",
        _ => "other business",
    }
}
