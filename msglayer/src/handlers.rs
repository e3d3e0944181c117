//! Who takes which message: one handler for each type (`pcn_kmsg_register_callback`).
//!
//! What a handler is, the kernel says; in which context it runs, the type table. K52 registers a handler that the macro of its
//! class has wrapped; here class and handler are found together and the kernel acts on the class.

use crate::error::KmsgError;
use crate::types::{HandlerClass, MESSAGE_TYPES, MessageType};

/// The handlers of a node.
#[derive(Debug, Clone)]
pub struct HandlerTable<H> {
    callbacks: [Option<H>; MESSAGE_TYPES.len()],
}

impl<H> Default for HandlerTable<H> {
    fn default() -> Self {
        Self {
            callbacks: std::array::from_fn(|_| None),
        }
    }
}

impl<H> HandlerTable<H> {
    /// Makes `handler` the one for `message_type`.
    ///
    /// # Errors
    /// When there is one already (K52 would replace it), or K52 registers none for that type.
    pub fn register_callback(
        &mut self,
        message_type: MessageType,
        handler: H,
    ) -> Result<(), KmsgError> {
        if message_type.class().is_none() {
            return Err(KmsgError::NotModelled(message_type));
        }
        let slot = &mut self.callbacks[usize::from(message_type.number())];
        if slot.is_some() {
            return Err(KmsgError::HandlerTaken(message_type));
        }
        *slot = Some(handler);
        Ok(())
    }

    /// Takes the handler of `message_type` out of the table.
    ///
    /// # Errors
    /// When there is none.
    pub fn unregister_callback(&mut self, message_type: MessageType) -> Result<H, KmsgError> {
        self.callbacks[usize::from(message_type.number())]
            .take()
            .ok_or(KmsgError::NoHandler(message_type))
    }

    /// The handler of `message_type`. Without one, K52 logs an error and drops the message.
    pub fn get(&self, message_type: MessageType) -> Option<&H> {
        self.callbacks[usize::from(message_type.number())].as_ref()
    }

    /// The handler of `message_type` and where it is to run.
    pub fn lookup(&self, message_type: MessageType) -> Option<(HandlerClass, &H)> {
        Some((message_type.class()?, self.get(message_type)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_handler_and_its_class() {
        let mut table = HandlerTable::default();
        table
            .register_callback(MessageType::FutexRequest, "futex")
            .unwrap();
        assert_eq!(
            table.register_callback(MessageType::FutexRequest, "other"),
            Err(KmsgError::HandlerTaken(MessageType::FutexRequest))
        );
        assert_eq!(
            table.lookup(MessageType::FutexRequest),
            Some((HandlerClass::RemoteWork, &"futex"))
        );
        assert_eq!(table.lookup(MessageType::FutexResponse), None);
        assert_eq!(
            table.unregister_callback(MessageType::FutexRequest),
            Ok("futex")
        );
        assert_eq!(
            table.unregister_callback(MessageType::FutexRequest),
            Err(KmsgError::NoHandler(MessageType::FutexRequest))
        );
    }

    #[test]
    fn what_is_no_message_has_no_handler() {
        let mut table = HandlerTable::default();
        for marker in [
            MessageType::StatStart,
            MessageType::StatEnd,
            MessageType::SchedPeriodic,
        ] {
            assert_eq!(
                table.register_callback(marker, ()),
                Err(KmsgError::NotModelled(marker))
            );
        }
    }
}
