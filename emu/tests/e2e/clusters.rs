//! Clusters of one to eight nodes, of both ISAs and of one, with several vCPUs a node: threads meet in mutexes, condition variables,
//! barriers and pages wherever they are.

use isa::Isa;
use isa::Isa::{Aarch64, X86_64};
use msglayer::SimDuration;

use crate::in_process::{checked, run, with_cpus};
use crate::matrix::PLANS;
use crate::native::on_host;

const THREADED: [&str; 4] = ["threads4", "producer_consumer", "hot_page", "thread_locals"];

#[test]
fn one_node() {
    check(&[X86_64]);
    check(&[Aarch64]);
}

#[test]
fn two_nodes_of_two_isas() {
    check(&[X86_64, Aarch64]);
    check(&[Aarch64, X86_64]);
}

#[test]
fn two_nodes_of_one_isa() {
    check(&[X86_64, X86_64]);
    check(&[Aarch64, Aarch64]);
}

#[test]
fn three_nodes() {
    check(&[X86_64, Aarch64, X86_64]);
    check(&[Aarch64, Aarch64, X86_64]);
}

#[test]
fn eight_nodes() {
    check(&[
        X86_64, Aarch64, X86_64, Aarch64, X86_64, Aarch64, X86_64, Aarch64,
    ]);
    check(&[
        Aarch64, X86_64, X86_64, Aarch64, Aarch64, Aarch64, X86_64, X86_64,
    ]);
}

/// Every program that prints the same everywhere does so round eight nodes.
#[test]
fn every_program_round_eight_nodes() {
    let isas = [X86_64, Aarch64].repeat(4);
    let cheap = |name: &str| !["npb_ep", "npb_cg"].contains(&name);
    for program in guests::all().iter().filter(|p| cheap(p.name)) {
        if program.output == guests::Output::Same {
            let ran = run(&checked(&isas), program.name, &["every"]);
            let expected = on_host(program.name, &["every"]);
            assert_eq!(ran.printed, expected, "{}", program.name);
        }
    }
}

#[test]
fn a_tour_of_all_nodes_stops_at_each() {
    for count in [1, 2, 3, 8] {
        let isas: Vec<Isa> = [Aarch64, X86_64, X86_64]
            .into_iter()
            .cycle()
            .take(count)
            .collect();
        let ran = run(&checked(&isas), "tour", &[]);
        let (text, stops) = tour(&isas);
        assert_eq!(ran.printed.text, text);
        assert_eq!(ran.migrations, stops);
    }
}

/// Clusters whose nodes boot at different speeds, because they have different numbers of vCPUs, with links of all speeds.
#[test]
fn clusters_of_all_shapes_run() {
    for nodes in [1, 2, 3, 5, 14, 32] {
        let isas: Vec<Isa> = [X86_64, Aarch64].into_iter().cycle().take(nodes).collect();
        for (cpus, others) in [(1, 4), (4, 1), (3, 2)] {
            for latency in [1, 8, 1000].map(SimDuration::from_us) {
                let mut config = with_cpus(checked(&isas), others);
                config.nodes[0].cpus = cpus;
                config.link.latency = latency;
                let ran = run(&config, "tour", &[]);
                assert_eq!(
                    ran.printed.text,
                    tour(&isas).0,
                    "{nodes} nodes, {cpus} and {others} vCPUs, {latency}"
                );
            }
        }
    }
}

/// What `tour` prints, and how often it travels: to every node by number, and home.
pub fn tour(isas: &[Isa]) -> (String, u64) {
    let home = isas[0];
    let mut text = format!("main() starts on node 0 ({home}) with an empty passport\n");
    let (mut from, mut stamps) = (0, String::new());
    let mut stops = 0;
    for nid in (1..isas.len()).chain((isas.len() > 1).then_some(0)) {
        let (there, left) = (isas[nid], isas[from]);
        text += &format!(
            "  now on node {nid} ({there}); I remember that I came from node {from} ({left})\n"
        );
        stamps += &format!(" node {nid}");
        (from, stops) = (nid, stops + 1);
    }
    text +=
        &format!("main() is on node 0 ({home}), and its passport has {stops} stamps:{stamps}\n");
    (text, stops)
}

/// Threads with one, two and four vCPUs a node.
fn check(isas: &[Isa]) {
    for name in THREADED {
        for cpus in [1, 2, 4] {
            for plan in PLANS {
                let ran = run(&with_cpus(checked(isas), cpus), name, &[plan]);
                let what = format!("{name} {plan} on {isas:?} with {cpus} vCPUs");
                assert_eq!(ran.printed, on_host(name, &[plan]), "{what}");
                assert_eq!(ran.migrations == 0, isas.len() == 1, "{what}");
            }
        }
    }
}
