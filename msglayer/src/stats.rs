//! Message statistics, and `/proc/popcorn_stat` made of them (K52's stat.c).
//!
//! The file has a line of totals, a line of rates since it was last read, a line of the transport, a line for each message type
//! that has a name there, and the counters of the page server's fault actions. Unlike K52, which takes the elapsed time with the
//! wrong sign, the rates here are rates.
//!
//! Left out: the two lines about RDMA, which only a transport with RDMA has.

use crate::time::SimTime;
use crate::transport::TransportStat;
use crate::types::{MESSAGE_TYPES, MessageType};

/// Messages of a kind and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many.
    pub messages: u64,
    /// How many bytes, headers included.
    pub bytes: u64,
}

impl Traffic {
    const NONE: Traffic = Traffic {
        messages: 0,
        bytes: 0,
    };

    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// Counters of the page server's fault actions, by the index of its table.
pub type FaultActions = [u64; 64];

/// What a node has sent and received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    sent: [Traffic; MESSAGE_TYPES.len()],
    received: [Traffic; MESSAGE_TYPES.len()],
    last: LastStat,
}

/// The totals when the file was last read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LastStat {
    at: SimTime,
    sent: u64,
    received: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            sent: [Traffic::NONE; MESSAGE_TYPES.len()],
            received: [Traffic::NONE; MESSAGE_TYPES.len()],
            last: LastStat::default(),
        }
    }
}

impl Counters {
    /// A message of `bytes` bytes was sent (`account_pcn_message_sent`).
    pub fn sent(&mut self, message_type: MessageType, bytes: usize) {
        self.sent[usize::from(message_type.number())].add(bytes);
    }

    /// A message of `bytes` bytes was received (`account_pcn_message_recv`).
    pub fn received(&mut self, message_type: MessageType, bytes: usize) {
        self.received[usize::from(message_type.number())].add(bytes);
    }

    /// What was sent of a type.
    pub const fn sent_of(&self, message_type: MessageType) -> Traffic {
        self.sent[message_type.number() as usize]
    }

    /// What was received of a type.
    pub const fn received_of(&self, message_type: MessageType) -> Traffic {
        self.received[message_type.number() as usize]
    }

    /// What was sent of all types.
    pub fn total_sent(&self) -> Traffic {
        total(&self.sent)
    }

    /// What was received of all types.
    pub fn total_received(&self) -> Traffic {
        total(&self.received)
    }

    /// The types of which anything was sent or received: type, sent, received.
    pub fn by_type(&self) -> impl Iterator<Item = (MessageType, Traffic, Traffic)> {
        let rows = MESSAGE_TYPES
            .iter()
            .zip(self.sent.iter().zip(&self.received));
        rows.map(|(info, (sent, received))| (info.message_type, *sent, *received))
            .filter(|(_, sent, received)| sent.messages + received.messages > 0)
    }

    /// Starts over, as any write to the file does.
    pub fn reset(&mut self, now: SimTime) {
        *self = Self {
            last: LastStat {
                at: now,
                ..LastStat::default()
            },
            ..Self::default()
        };
    }

    /// The contents of `/proc/popcorn_stat` at `now`. Reading it sets the point from which the next rates are taken.
    pub fn popcorn_stat(
        &mut self,
        now: SimTime,
        transport: &TransportStat,
        actions: &FaultActions,
    ) -> String {
        let (sent, received) = (self.total_sent().bytes, self.total_received().bytes);
        let elapsed_us = now.saturating_since(self.last.at).as_us().max(1);
        let rate = |bytes: u64| {
            let thousandths = u128::from(bytes) * 1000 / u128::from(elapsed_us);
            format!("{:>8}.{:03}", thousandths / 1000, thousandths % 1000)
        };
        let sent_rate = rate(sent.saturating_sub(self.last.sent));
        let received_rate = rate(received.saturating_sub(self.last.received));
        self.last = LastStat {
            at: now,
            sent,
            received,
        };

        let mut file = stat_line(sent, received, "Total network I/O");
        file += &format!("{sent_rate}  {received_rate}  MB/s\n");
        file += &stat_line(transport.usage, transport.peak_usage, transport.label);
        for message_type in counted_types() {
            let (sent, received) = (self.sent_of(message_type), self.received_of(message_type));
            file += &stat_line(sent.messages, received.messages, stat_name(message_type));
        }
        file + &fault_action_lines(actions)
    }
}

/// Two figures and a label, as wide as K52 writes them.
fn stat_line(left: u64, right: u64, label: &str) -> String {
    format!("{left:>12}  {right:>12}  {label}\n")
}

/// The types between the two markers.
fn counted_types() -> impl Iterator<Item = MessageType> {
    let types = MESSAGE_TYPES.iter().map(|info| info.message_type);
    types.filter(|kind| (MessageType::StatStart < *kind) && (*kind < MessageType::StatEnd))
}

/// What K52's file calls a type. Most have no name in it.
const fn stat_name(message_type: MessageType) -> &'static str {
    match message_type {
        MessageType::TaskMigrate => "migration",
        MessageType::VmaInfoRequest => "VMA info",
        MessageType::VmaOpRequest => "VMA op",
        MessageType::RemotePageRequest => "remote page",
        MessageType::PageInvalidateRequest => "invalidate",
        MessageType::FutexRequest => "futex",
        _ => "",
    }
}

/// Sixteen lines of four counters, each behind its index.
fn fault_action_lines(actions: &FaultActions) -> String {
    let rows = actions.len() / 4;
    let mut lines = String::new();
    for row in 0..rows {
        let cells = [0, 1, 2, 3]
            .map(|column| row + column * rows)
            .map(|index| format!("{index:>2} {:<12}", actions[index]));
        lines += &cells.join(" ");
        lines.push('\n');
    }
    lines
}

fn total(traffic: &[Traffic]) -> Traffic {
    traffic.iter().fold(Traffic::NONE, |total, kind| Traffic {
        messages: total.messages + kind.messages,
        bytes: total.bytes + kind.bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const SOCKET: TransportStat = TransportStat {
        usage: 0,
        peak_usage: 0,
        label: "Send buffer usage",
    };

    fn some_traffic() -> Counters {
        let mut counters = Counters::default();
        counters.sent(MessageType::TaskMigrate, 1470);
        counters.sent(MessageType::RemotePageResponse, 4130);
        counters.sent(MessageType::RemotePageResponse, 4130);
        counters.sent(MessageType::SyscallFwd, 74);
        counters.received(MessageType::TaskPairing, 22);
        counters
    }

    #[test]
    fn messages_are_counted_by_type_and_direction() {
        let counters = some_traffic();
        let pages = Traffic {
            messages: 2,
            bytes: 8260,
        };
        assert_eq!(counters.sent_of(MessageType::RemotePageResponse), pages);
        assert_eq!(
            counters.received_of(MessageType::RemotePageResponse),
            Traffic::NONE
        );
        assert_eq!(
            counters.total_sent(),
            Traffic {
                messages: 4,
                bytes: 9804
            }
        );
        assert_eq!(
            counters.total_received(),
            Traffic {
                messages: 1,
                bytes: 22
            }
        );
        let types: Vec<_> = counters.by_type().map(|(kind, ..)| kind.name()).collect();
        assert_eq!(
            types,
            [
                "TASK_MIGRATE",
                "TASK_PAIRING",
                "REMOTE_PAGE_RESPONSE",
                "SYSCALL_FWD"
            ]
        );
    }

    #[test]
    fn the_file_has_the_shape_of_the_kernels() {
        let mut actions = [0; 64];
        actions[0] = 7;
        actions[63] = 123_456;
        let file = some_traffic().popcorn_stat(SimTime::from_ms(1), &SOCKET, &actions);
        let visible: Vec<_> = file.lines().map(|line| line.trim_end()).collect();
        expect![[r#"
                    9804            22  Total network I/O
                   9.804         0.022  MB/s
                       0             0  Send buffer usage
                       1             0  migration
                       0             0
                       0             1
                       0             0
                       0             0
                       0             0  VMA info
                       0             0
                       0             0  VMA op
                       0             0
                       0             0  remote page
                       2             0
                       0             0
                       0             0  invalidate
                       0             0
                       0             0
                       0             0
                       0             0
                       0             0  futex
                       0             0
             0 7            16 0            32 0            48 0
             1 0            17 0            33 0            49 0
             2 0            18 0            34 0            50 0
             3 0            19 0            35 0            51 0
             4 0            20 0            36 0            52 0
             5 0            21 0            37 0            53 0
             6 0            22 0            38 0            54 0
             7 0            23 0            39 0            55 0
             8 0            24 0            40 0            56 0
             9 0            25 0            41 0            57 0
            10 0            26 0            42 0            58 0
            11 0            27 0            43 0            59 0
            12 0            28 0            44 0            60 0
            13 0            29 0            45 0            61 0
            14 0            30 0            46 0            62 0
            15 0            31 0            47 0            63 123456
        "#]]
        .assert_eq(&(visible.join("\n") + "\n"));
    }

    #[test]
    fn rates_are_since_the_last_reading() {
        let mut counters = some_traffic();
        let mut rates = |now| {
            counters
                .popcorn_stat(now, &SOCKET, &[0; 64])
                .lines()
                .nth(1)
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            rates(SimTime::from_ms(1)),
            "       9.804         0.022  MB/s"
        );
        assert_eq!(
            rates(SimTime::from_ms(2)),
            "       0.000         0.000  MB/s"
        );
        assert_eq!(
            rates(SimTime::from_ms(2)),
            "       0.000         0.000  MB/s",
            "no time has passed"
        );
    }

    #[test]
    fn writing_the_file_starts_over() {
        let mut counters = some_traffic();
        counters.reset(SimTime::from_ms(5));
        assert_eq!(
            (counters.total_sent(), counters.total_received()),
            (Traffic::NONE, Traffic::NONE)
        );
        counters.sent(MessageType::TaskMigrate, 1000);
        let file = counters.popcorn_stat(SimTime::from_ms(6), &SOCKET, &[0; 64]);
        assert!(file.lines().nth(1).unwrap().starts_with("       1.000 "));
    }
}
