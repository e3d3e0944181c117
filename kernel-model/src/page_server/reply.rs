//! The two page responses: with the page, or with a result only.

use std::rc::Rc;

use msglayer::Envelope;
use msglayer::messages::{RemotePageResponse, RemotePageResponseShort, VmFault};

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
