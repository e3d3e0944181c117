//! Pages of the book that are made from tables: each is current, or `UPDATE_EXPECT=1 cargo test -p kernel-model --test pages` makes it so.

use std::fmt::Write;

use expect_test::expect_file;
use isa::Isa;
use isa::syscall::Sysno;
use kernel_model::costs::COSTS;
use kernel_model::syscall::forward::{FIRST_EXTENSION, forwarded_calls};
use kernel_model::syscall::implemented;
use msglayer::link::{LINK_PROFILES, Source};
use msglayer::messages::Layout;
use msglayer::types::MESSAGE_TYPES;

const MADE: &str =
    "<!-- Made from the tables of the source; kernel-model/tests/pages.rs says how. -->\n\n";

#[test]
fn costs() {
    let mut page = format!("# What takes how long\n\n{MADE}");
    page.push_str(
        "Guest instructions take virtual time by a node's clock frequency and cycles per instruction. Messages take what their link\n\
         takes. Everything else that a kernel does and that takes time is in the first table.\n\n\
         ## Kernel paths\n\n| path | time | source |\n|---|--:|---|\n",
    );
    for entry in COSTS {
        writeln!(
            page,
            "| {:?} | {} ns | {} |",
            entry.cost, entry.ns, entry.source
        )
        .unwrap();
    }
    page.push_str(
        "\n## Links\n\n| profile | what it stands for | bandwidth | latency | sender's CPU per message | receiver's | sources |\n\
         |---|---|--:|--:|--:|--:|---|\n",
    );
    let source = |source| match source {
        Source::Cited(text) => text,
        Source::Assumed => "assumed",
    };
    for profile in LINK_PROFILES {
        let model = profile.model;
        let (bandwidth, timing) = (
            source(profile.bandwidth_source),
            source(profile.timing_source),
        );
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | bandwidth: {bandwidth}; the rest: {timing} |",
            profile.name,
            profile.what,
            model.bandwidth,
            model.latency,
            model.send_cost,
            model.recv_cost
        )
        .unwrap();
    }
    expect_file!["../../docs/src/internals/costs.md"].assert_eq(&page);
}

#[test]
fn system_calls() {
    let mut page = format!("# System calls\n\n{MADE}");
    page.push_str(
        "What programs can call. A call that is not here returns `ENOSYS`, and is reported once with its name. *At home* says under which\n\
         number a remote thread's call is forwarded to the process' home node; the others run where the thread is.\n\n\
         | call | x86_64 | aarch64 | at home |\n|---|--:|--:|--:|\n",
    );
    let mut calls: Vec<Sysno> = implemented().collect();
    calls.sort_by_key(|call| call.name());
    let number = |call: Sysno, isa| call.number(isa).map_or(String::new(), |n| n.to_string());
    for call in calls {
        let home = forwarded_calls().find(|(_, forwarded)| *forwarded == call);
        let home = home.map_or(String::new(), |(n, _)| {
            if n < FIRST_EXTENSION {
                n.to_string()
            } else {
                format!("{n} (extension)")
            }
        });
        let (x86_64, aarch64) = (number(call, Isa::X86_64), number(call, Isa::Aarch64));
        writeln!(page, "| {} | {x86_64} | {aarch64} | {home} |", call.name()).unwrap();
    }
    page.push_str(
        "\nThe four calls of Popcorn, `popcorn_migrate`, `popcorn_propose_migration`, `popcorn_get_thread_status` and\n\
         `popcorn_get_node_info`, have the numbers 900 to 903 on both instruction sets (Popcorn's 5.2 port).\n",
    );
    expect_file!["../../docs/src/internals/system-calls.md"].assert_eq(&page);
}

#[test]
fn messages() {
    let mut page = format!("# Message types\n\n{MADE}");
    page.push_str(
        "The types of Popcorn's 5.2 kernel, with their sizes on the wire, header included. *Runs* says where the receiver handles it: *direct*\n\
         in the receive thread, on a *work queue*, or as *remote work* by the task that the message names. Types without fields are known, and\n\
         nothing in the model sends them. From 45 on they are Kettle's own, for [signals](deviations.md).\n\n| # | type | bytes | runs | answered by or answers | fields after the 10-byte header |\n|--:|---|--:|---|---|---|\n",
    );
    for info in MESSAGE_TYPES {
        let size = info
            .wire_size
            .map_or(String::new(), |size| size.to_string());
        let class = info.class.map_or(String::new(), |class| class.to_string());
        let pair = info.pair.map_or("", |pair| pair.name());
        let fields = Layout::of(info.message_type).map_or(String::new(), |layout| {
            let names = layout
                .fields
                .iter()
                .map(|field| field.name)
                .filter(|name| *name != "header");
            names.collect::<Vec<_>>().join(", ")
        });
        writeln!(
            page,
            "| {} | {} | {size} | {class} | {pair} | {fields} |",
            info.message_type.number(),
            info.name
        )
        .unwrap();
    }
    expect_file!["../../docs/src/internals/messages.md"].assert_eq(&page);
}
