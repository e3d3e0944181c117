//! The two page responses: with the page, or with a result only.

use std::rc::Rc;

use msglayer::messages::{RemotePageResponse, RemotePageResponseShort, VmFault};
use msglayer::{Envelope, Message};

use super::PAGE;
use crate::kernel::Kernel;
use crate::kmsg::{WaitStation, parse};

/// What a page request was answered with.
pub(super) enum PageReply {
    /// The page.
    Data(Box<[u8; PAGE]>),
    /// A grant without data (CONTINUE), RETRY, or an error.
    Result(VmFault),
}

impl PageReply {
    /// The response of either kind; `None` when there is none, or it is malformed.
    pub(super) fn parse(k: &Rc<Kernel>, envelope: Option<Envelope>) -> Option<Self> {
        let envelope = envelope?;
        if let Ok(response) = RemotePageResponse::parse(&envelope.bytes) {
            return Some(Self::Data(Box::new(response.page)));
        }
        let short = parse::<RemotePageResponseShort>(k, &envelope)?;
        Some(Self::Result(VmFault::from_wire(short.result.get())))
    }
}

/// `handle_remote_page_response`: the requester goes on.
pub fn handle_remote_page_response(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(station) = parse::<RemotePageResponse>(k, &envelope).map(|m| m.origin_ws.get()) else {
        return;
    };
    WaitStation::complete(k, station, Some(envelope));
}

/// As [`handle_remote_page_response`], for the response without a page.
pub fn handle_remote_page_response_short(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(station) = parse::<RemotePageResponseShort>(k, &envelope).map(|m| m.origin_ws.get())
    else {
        return;
    };
    WaitStation::complete(k, station, Some(envelope));
}
