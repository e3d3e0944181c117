//! A message under way: its bytes, and between which nodes.

use crate::error::KmsgError;
use crate::header::Header;
use crate::messages::{Layout, Message};
use crate::node::Nid;
use crate::types::MessageType;

/// A message on the wire from one node to another.
///
/// `from` and `to` are the ends of the connection, which the transport knows; the header repeats the sender. The bytes are
/// whatever they are: they are checked by whoever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sending end of the connection.
    pub from: Nid,
    /// The receiving end.
    pub to: Nid,
    /// Header and payload.
    pub bytes: Vec<u8>,
}

impl Envelope {
    /// Fills the header of `message` and makes it ready to travel.
    ///
    /// # Errors
    /// When both ends are the same node: there is no connection to oneself.
    pub fn seal<M: Message>(from: Nid, to: Nid, mut message: M) -> Result<Self, KmsgError> {
        if from == to {
            return Err(KmsgError::ToItself(from));
        }
        Header::fill(&mut message, from);
        Ok(Self {
            from,
            to,
            bytes: message.as_bytes().to_vec(),
        })
    }

    /// The header's meaning.
    ///
    /// # Errors
    /// When there is none, or it names another sender than the connection has, or another size than the message.
    pub fn header(&self) -> Result<Header, KmsgError> {
        let header = Header::decode(&self.bytes)?;
        if header.from_nid != self.from {
            return Err(KmsgError::WrongSender {
                header: header.from_nid,
                connection: self.from,
            });
        }
        if header.size != self.bytes.len() {
            let (message, given) = (header.message_type, self.bytes.len());
            return Err(KmsgError::SizeMismatch {
                message,
                header: header.size as u64,
                given,
            });
        }
        Ok(header)
    }

    /// What the message is.
    ///
    /// # Errors
    /// As [`Envelope::header`].
    pub fn kind(&self) -> Result<MessageType, KmsgError> {
        self.header().map(|header| header.message_type)
    }

    /// The message as what it is.
    ///
    /// # Errors
    /// When it is something else, or malformed.
    pub fn decode<M: Message>(&self) -> Result<&M, KmsgError> {
        self.header()?;
        M::parse(&self.bytes)
    }

    /// The message in words, for traces; of one that cannot be read the reason.
    pub fn describe(&self) -> String {
        Layout::describe(&self.bytes).unwrap_or_else(|error| format!("<{error}>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{NodeInfo, RemoteTaskExit, RemoteTaskPairing};
    use expect_test::expect;
    use proptest::prelude::*;

    fn pairing() -> (Envelope, RemoteTaskPairing) {
        let (home, guest) = (Nid::ZERO, Nid::checked(1).unwrap());
        let message = RemoteTaskPairing {
            my_tgid: 81.into(),
            my_pid: 82.into(),
            your_pid: 70.into(),
            ..RemoteTaskPairing::blank()
        };
        (Envelope::seal(guest, home, message).unwrap(), message)
    }

    #[test]
    fn what_is_sealed_is_decoded() {
        let (envelope, message) = pairing();
        assert_eq!(envelope.kind(), Ok(MessageType::TaskPairing));
        let received = envelope.decode::<RemoteTaskPairing>().unwrap();
        assert_eq!(
            (received.my_tgid, received.my_pid, received.your_pid),
            (message.my_tgid, message.my_pid, message.your_pid)
        );
        assert_eq!(
            received.header().check(),
            Ok(Header::new(envelope.from, MessageType::TaskPairing, 22))
        );
        expect!["TASK_PAIRING my_tgid=81 my_pid=82 your_pid=70"].assert_eq(&envelope.describe());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        let (good, _) = pairing();
        let read = |change: fn(&mut Envelope)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.decode::<RemoteTaskPairing>().unwrap_err().to_string()
        };
        expect!["a message needs at least its 10 bytes of header, 9 bytes were given"]
            .assert_eq(&read(|envelope| envelope.bytes.truncate(9)));
        expect!["the header of this TASK_PAIRING says 22 bytes, but 21 bytes were given"]
            .assert_eq(&read(|envelope| envelope.bytes.truncate(21)));
        expect!["the header of this message names node 1 as its sender, but it came from node 2"]
            .assert_eq(&read(|envelope| envelope.from = Nid::checked(2).unwrap()));
        expect!["a TASK_PAIRING has 22 bytes, this one has 23"].assert_eq(&read(|envelope| {
            envelope.bytes.push(0);
            envelope.bytes[2] += 1;
        }));
        let other = good.decode::<RemoteTaskExit>().unwrap_err().to_string();
        expect!["expected a TASK_EXIT_REMOTE, this is a TASK_PAIRING"].assert_eq(&other);
        let own = Envelope::seal(Nid::ZERO, Nid::ZERO, NodeInfo::blank())
            .unwrap_err()
            .to_string();
        expect!["node 0 cannot send a message to itself"].assert_eq(&own);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(
            number in 0u8..48, size in 0u64..80, rest in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = vec![0x40, number];
            bytes.extend(size.to_le_bytes());
            bytes.extend(rest);
            let envelope = Envelope { from: Nid::ZERO, to: Nid::ZERO, bytes };
            let words = envelope.describe();
            let is_modelled = envelope.kind().is_ok_and(|kind| Layout::of(kind).is_some_and(|layout| layout.size == envelope.bytes.len()));
            prop_assert_eq!(words.starts_with('<'), !is_modelled, "{}", words);
        }
    }
}
