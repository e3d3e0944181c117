//! The cluster file.
//!
//! ```toml
//! seed = 7                    # of all random draws; 0 if not given
//! profile = "kettle"          # or "k52", the original with its dead ends
//! quantum = 10000             # guest instructions between two looks at a node's events
//!
//! [link]                      # between any two nodes
//! profile = "ib56"            # ib56, 10gbe or 1gbe; any of the following changes a part of it
//! latency = "8us"
//! bandwidth = "56Gbit/s"
//! send-cost = "1.5us"         # CPU time of the sender per message
//! recv-cost = "2us"           # and of the receiver
//!
//! [[node]]                    # node 0, where programs start
//! isa = "x86_64"
//! cpus = 2
//! memory = "512MiB"
//! frequency = "2.4GHz"
//! cpi = 1.0                   # cycles per instruction
//!
//! [[node]]                    # node 1
//! isa = "aarch64"
//! ```

use std::fs;
use std::path::Path;

use isa::Isa;
use kernel_model::Profile;
use msglayer::{Bandwidth, LinkModel, SimDuration};
use serde::Deserialize;

use super::units::{Frequency, MemorySize, by_optional_text, by_text};
use super::{ClusterConfig, ConfigError, NodeSpec};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFile {
    seed: Option<u64>,
    profile: Option<ProfileName>,
    quantum: Option<u64>,
    #[serde(default)]
    link: LinkTable,
    #[serde(default)]
    node: Vec<NodeTable>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProfileName {
    Kettle,
    K52,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LinkTable {
    profile: Option<String>,
    #[serde(default, deserialize_with = "by_optional_text")]
    latency: Option<SimDuration>,
    #[serde(default, deserialize_with = "by_optional_text")]
    bandwidth: Option<Bandwidth>,
    #[serde(default, deserialize_with = "by_optional_text")]
    send_cost: Option<SimDuration>,
    #[serde(default, deserialize_with = "by_optional_text")]
    recv_cost: Option<SimDuration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    #[serde(deserialize_with = "by_text")]
    isa: Isa,
    cpus: Option<u16>,
    #[serde(default, deserialize_with = "by_optional_text")]
    memory: Option<MemorySize>,
    #[serde(default, deserialize_with = "by_optional_text")]
    frequency: Option<Frequency>,
    cpi: Option<f64>,
}

impl ClusterConfig {
    /// Reads a cluster file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|reason| ConfigError::Read {
            path: path.to_path_buf(),
            reason,
        })?;
        Self::from_toml(path, &text)
    }

    /// Reads the text of a cluster file; `path` is what errors call it.
    pub fn from_toml(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let wrong = |message: String| ConfigError::File {
            path: path.to_path_buf(),
            message: message.trim_end().to_owned(),
        };
        let file: ClusterFile = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if file.node.is_empty() {
            return Err(wrong("it has no node: write a [[node]] table with isa = \"x86_64\" or isa = \"aarch64\" for each".to_owned()));
        }
        let mut config = Self::of(&[]);
        config.seed = file.seed.unwrap_or(config.seed);
        config.quantum = file.quantum.unwrap_or(config.quantum);
        config.profile = match file.profile {
            Some(ProfileName::K52) => Profile::K52,
            Some(ProfileName::Kettle) | None => Profile::Kettle,
        };
        config.link = file.link.model()?;
        for (nid, node) in file.node.into_iter().enumerate() {
            config.nodes.push(
                node.spec()
                    .map_err(|why| wrong(format!("node {nid}: {why}")))?,
            );
        }
        config.check()
    }
}

impl LinkTable {
    fn model(&self) -> Result<LinkModel, ConfigError> {
        let mut model = match &self.profile {
            Some(name) => LinkModel::profile(name)?,
            None => LinkModel::default(),
        };
        model.latency = self.latency.unwrap_or(model.latency);
        model.bandwidth = self.bandwidth.unwrap_or(model.bandwidth);
        model.send_cost = self.send_cost.unwrap_or(model.send_cost);
        model.recv_cost = self.recv_cost.unwrap_or(model.recv_cost);
        Ok(model)
    }
}

impl NodeTable {
    fn spec(&self) -> Result<NodeSpec, String> {
        let mut spec = NodeSpec::new(self.isa);
        spec.cpus = self.cpus.unwrap_or(spec.cpus);
        spec.memory = self.memory.unwrap_or(spec.memory);
        spec.frequency = self.frequency;
        if let Some(cpi) = self.cpi {
            if !(0.001..=1000.0).contains(&cpi) {
                return Err(format!(
                    "cpi = {cpi} is impossible; cycles per instruction are from 0.001 to 1000"
                ));
            }
            spec.cpi_milli = (cpi * 1_000.0).round() as u64;
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClusterConfig, ConfigError> {
        ClusterConfig::from_toml(Path::new("cluster.toml"), text)
    }

    #[test]
    fn a_whole_file_is_understood() {
        let config = read(
            "seed = 7\nprofile = \"k52\"\n[link]\nprofile = \"10gbe\"\nlatency = \"3us\"\n[[node]]\nisa = \"x86_64\"\ncpus = 2\n\
             memory = \"64MiB\"\nfrequency = \"3GHz\"\ncpi = 1.25\n[[node]]\nisa = \"aarch64\"\n",
        )
        .unwrap();
        assert_eq!(
            (config.seed, config.profile, config.nodes.len()),
            (7, Profile::K52, 2)
        );
        assert_eq!(config.link.latency, SimDuration::from_us(3));
        assert_eq!(
            config.link.bandwidth,
            LinkModel::profile("10gbe").unwrap().bandwidth
        );
        let node = &config.nodes[0];
        assert_eq!(
            (node.cpus, node.cpi_milli, node.memory),
            (2, 1_250, MemorySize::from_mib(64))
        );
        assert_eq!(config.nodes[1], NodeSpec::new(Isa::Aarch64));
    }

    #[test]
    fn the_example_of_the_manual_is_a_cluster_file() {
        let page = include_str!("../../../docs/src/manual/cluster.md");
        let (_, rest) = page.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let config = read(example).unwrap();
        assert_eq!((config.nodes.len(), config.nodes[0].cpus), (2, 2));
        assert_eq!(config.link, LinkModel::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases = [
            ("", "no node"),
            ("[[node]]\nisa = \"riscv64\"\n", "line 2"),
            ("[[node]]\nisa = \"x86_64\"\nmemory = \"64\"\n", "256MiB"),
            (
                "[[node]]\nisa = \"x86_64\"\ncores = 2\n",
                "unknown field `cores`",
            ),
            ("[[node]]\nisa = \"x86_64\"\ncpus = 0\n", "vCPUs"),
            ("[[node]]\nisa = \"x86_64\"\ncpi = -1.0\n", "cpi"),
            (
                "[link]\nlatency = \"0us\"\n[[node]]\nisa = \"x86_64\"\n",
                "latency of more than zero",
            ),
            (
                "[link]\nlatency = \"3 parsecs\"\n[[node]]\nisa = \"x86_64\"\n",
                "line 2",
            ),
            (
                "[link]\nprofile = \"avian\"\n[[node]]\nisa = \"x86_64\"\n",
                "ib56",
            ),
            ("seed = \n", "line 1"),
            ("quantum = 0\n[[node]]\nisa = \"x86_64\"\n", "quantum"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} gives {error:?}");
        }
        let many = "[[node]]\nisa = \"x86_64\"\n".repeat(33);
        assert!(read(&many).unwrap_err().to_string().contains("33"));
    }
}
