//! What the messages of a migration were for, in words.

use std::fmt;

use msglayer::MessageType;
use msglayer::types::MESSAGE_TYPES;

use super::grouped;
use super::lines::row;
use crate::record::journey::Traffic;

/// A table of messages; types that are one conversation are one row.
pub fn table(f: &mut fmt::Formatter<'_>, traffic: &Traffic) -> fmt::Result {
    let mut rows: Vec<(&str, u64, u64, Vec<&str>)> = Vec::new();
    for (kind, (count, bytes)) in traffic {
        let meaning = meaning(*kind);
        let index = rows
            .iter()
            .position(|row| row.0 == meaning)
            .unwrap_or(rows.len());
        if index == rows.len() {
            rows.push((meaning, 0, 0, Vec::new()));
        }
        let row = &mut rows[index];
        row.1 += count;
        row.2 += bytes;
        row.3.push(name(*kind));
    }
    table_row(f, "number", "bytes", "what for", "Popcorn's name for it")?;
    for (meaning, count, bytes, names) in rows {
        table_row(f, &grouped(count), &grouped(bytes), meaning, &join(&names))?;
    }
    Ok(())
}

fn table_row(
    f: &mut fmt::Formatter<'_>,
    count: &str,
    bytes: &str,
    meaning: &str,
    names: &str,
) -> fmt::Result {
    row(f, &format!("{count:>6}{bytes:>9}  {meaning:<44}{names}"))
}

/// "VMA_INFO_REQUEST, _RESPONSE".
fn join(names: &[&str]) -> String {
    let stem = |name: &str| name.rsplit_once('_').map(|(stem, _)| stem.to_owned());
    match names {
        [one, other] if stem(one) == stem(other) => format!(
            "{one}, {}",
            &other[stem(other).map_or(0, |stem| stem.len())..]
        ),
        _ => names.join(", "),
    }
}

/// Numbers and bytes of all.
pub fn sum(traffic: &Traffic) -> (u64, u64) {
    traffic
        .values()
        .fold((0, 0), |(count, bytes), (n, b)| (count + n, bytes + b))
}

fn name(kind: MessageType) -> &'static str {
    MESSAGE_TYPES[usize::from(kind.number())].name
}

/// What a message is for.
fn meaning(kind: MessageType) -> &'static str {
    match kind {
        MessageType::NodeInfo => "nodes introduce themselves",
        MessageType::TaskMigrate => "its registers, and its process in outline",
        MessageType::TaskMigrateBack => "its registers, on their way home",
        MessageType::TaskPairing => "\"your thread runs here now\"",
        MessageType::TaskExitOrigin | MessageType::TaskExitRemote => {
            "\"the program (or this thread) is over\""
        }
        MessageType::VmaInfoRequest | MessageType::VmaInfoResponse => {
            "\"what belongs at this address?\" - answer"
        }
        MessageType::VmaOpRequest | MessageType::VmaOpResponse => {
            "map, unmap or protect memory - done"
        }
        MessageType::RemotePageRequest => "\"I need this page\", to read or to write",
        MessageType::RemotePageResponse => "a page, all 4,096 bytes of it",
        MessageType::RemotePageResponseShort => "\"you have it, and may write it now\"",
        MessageType::PageInvalidateRequest | MessageType::PageInvalidateResponse => {
            "\"forget your copy, I will write\" - done"
        }
        MessageType::FutexRequest | MessageType::FutexResponse => {
            "lock or wait, decided at home - done"
        }
        MessageType::SyscallFwd | MessageType::SyscallRep => "a system call, made at home - result",
        _ => "other business",
    }
}
