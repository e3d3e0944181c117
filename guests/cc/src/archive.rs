//! Static libraries of bitcode: which of their members a program needs.
//!
//! As with other linkers, a member is linked only when it defines something that is undefined without it. All archives are searched until
//! nothing new is found, so their order decides only which of two definitions is taken: the first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use object::read::archive::ArchiveFile;

use crate::BuildError;
use crate::inputs::{Contents, NATIVE, contents};
use crate::tools::Workshop;
use crate::xform::{self, External};

/// An archive that a program may need members of.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    members: Vec<Member>,
    /// The first member that defines a symbol.
    index: BTreeMap<String, usize>,
    /// Members that are linked whether they are needed or not: all of them, or none.
    whole: bool,
}

/// A member of an archive, in a file of its own.
#[derive(Debug)]
struct Member {
    file: String,
    external: External,
}

impl Library {
    /// Opens archive number `k` and puts its members into the workshop.
    pub fn open(shop: &Workshop, k: usize, path: &Path, whole: bool) -> Result<Self, BuildError> {
        let malformed = BuildError::malformed(path);
        let data = std::fs::read(path).map_err(BuildError::file("read", path))?;
        let archive = ArchiveFile::parse(data.as_slice()).map_err(malformed)?;
        let mut library = Self {
            path: path.to_path_buf(),
            members: Vec::new(),
            index: BTreeMap::new(),
            whole,
        };
        for (n, member) in archive.members().enumerate() {
            let member = member.map_err(BuildError::malformed(path))?;
            let name = String::from_utf8_lossy(member.name()).into_owned();
            let thin;
            let bytes = if archive.is_thin() {
                let file = path.parent().unwrap_or(Path::new(".")).join(&name);
                thin = std::fs::read(&file).map_err(BuildError::file("read", &file))?;
                &thin
            } else {
                member
                    .data(data.as_slice())
                    .map_err(BuildError::malformed(path))?
            };
            library.add(shop, &name, &format!("archive/{k}.{n}.bc"), bytes)?;
        }
        Ok(library)
    }

    fn add(
        &mut self,
        shop: &Workshop,
        name: &str,
        file: &str,
        bytes: &[u8],
    ) -> Result<(), BuildError> {
        let member = self.path.join(name);
        match contents(bytes) {
            Contents::Bitcode => {}
            Contents::Native => return Err(BuildError::malformed(&member)(NATIVE)),
            // Archives may hold notes and lists; linkers pass over them.
            Contents::Archive | Contents::Other => return Ok(()),
        }
        shop.write(file, bytes)?;
        let external = external(shop, file, &member)?;
        for symbol in &external.defined {
            self.index
                .entry(symbol.clone())
                .or_insert(self.members.len());
        }
        self.members.push(Member {
            file: file.to_owned(),
            external,
        });
        Ok(())
    }
}

/// The members that a program of the given modules needs, in the order in which they are found. `wanted` are symbols that something besides
/// the modules refers to.
pub fn needed(
    shop: &Workshop,
    libraries: &[Library],
    modules: &[String],
    wanted: &[String],
) -> Result<Vec<String>, BuildError> {
    let mut search = Search {
        undefined: wanted.iter().cloned().collect(),
        ..Search::default()
    };
    for module in modules {
        search.link(&external(shop, module, &shop.path(module))?);
    }
    for (k, library) in libraries.iter().enumerate().filter(|(_, l)| l.whole) {
        for n in 0..library.members.len() {
            search.take(k, n, library);
        }
    }
    while let Some((k, n)) = search.next(libraries) {
        search.take(k, n, &libraries[k]);
    }
    Ok(search.found)
}

#[derive(Default)]
struct Search {
    defined: BTreeSet<String>,
    undefined: BTreeSet<String>,
    taken: BTreeSet<(usize, usize)>,
    found: Vec<String>,
}

impl Search {
    fn link(&mut self, external: &External) {
        self.defined.extend(external.defined.iter().cloned());
        self.undefined.extend(external.undefined.iter().cloned());
        self.undefined.retain(|s| !self.defined.contains(s));
    }

    /// The first library that defines an undefined symbol, and its member.
    fn next(&self, libraries: &[Library]) -> Option<(usize, usize)> {
        let defined_in = |symbol: &String| {
            let mut all = libraries.iter().enumerate();
            all.find_map(|(k, l)| Some((k, *l.index.get(symbol)?)))
        };
        self.undefined.iter().find_map(defined_in)
    }

    fn take(&mut self, k: usize, n: usize, library: &Library) {
        let member = &library.members[n];
        if self.taken.insert((k, n)) {
            self.found.push(member.file.clone());
            self.link(&member.external);
        }
    }
}

fn external(shop: &Workshop, file: &str, label: &Path) -> Result<External, BuildError> {
    xform::external(&shop.path(file)).map_err(BuildError::malformed(label))
}
