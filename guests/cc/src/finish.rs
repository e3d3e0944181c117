//! The last steps, on the linked files: the call-site table is read from both and written into both, and both are checked.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use isa::callsites::{CallSite, CallSites, SECTION};
use isa::{Isa, VirtAddr};

use crate::contract::START_RETURN;
use crate::layout::Layout;
use crate::lines::Lines;
use crate::object_file::{self, Elf};
use crate::sites::{self, Site};
use crate::tools::{Workshop, image};
use crate::verify::{self, VerifySite};
use crate::xform::Transformed;
use crate::{BuildError, check};

/// A linked file.
struct Image {
    isa: Isa,
    path: PathBuf,
    data: Vec<u8>,
    sites: BTreeMap<u32, Site>,
    start_return: VirtAddr,
}

/// Reads the sites of both images, writes the table into both, checks and verifies.
pub fn finish(shop: &Workshop, layout: &Layout, program: &Transformed) -> Result<(), BuildError> {
    let mut x86_64 = Image::read(shop, Isa::X86_64, program)?;
    let mut aarch64 = Image::read(shop, Isa::Aarch64, program)?;
    shop.tell(|| "write the call-site table into both files, and compare them".to_owned());
    let table = table(&x86_64, &aarch64, program)?.encode();
    for image in [&mut x86_64, &mut aarch64] {
        image.patch(&table)?;
        std::fs::write(&image.path, &image.data).map_err(BuildError::file("write", &image.path))?;
    }
    check::correspond([&x86_64.elf()?, &aarch64.elf()?], layout, program)?;
    let mut findings = Vec::new();
    for image in [&x86_64, &aarch64] {
        shop.tell(|| {
            let count = image.sites.len();
            format!(
                "verify the {} code behind {count} calls that may migrate",
                image.isa
            )
        });
        let found = image.verify(program)?;
        findings.extend((!found.is_empty()).then_some((image.isa, found)));
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(BuildError::Unverified { findings })
    }
}

impl Image {
    fn read(shop: &Workshop, isa: Isa, program: &Transformed) -> Result<Self, BuildError> {
        let path = shop.path(&image(isa));
        let data = object_file::read(&path)?;
        let elf = Elf::parse(&path, &data)?;
        let sites = sites::read(isa, &path, &elf, &program.sites)?;
        let start = elf.symbols().get(START_RETURN).map(|s| s.value);
        let start = start
            .ok_or_else(|| BuildError::malformed(&path)(format!("no symbol {START_RETURN}")))?;
        Ok(Self {
            isa,
            path,
            data,
            sites,
            start_return: VirtAddr(start),
        })
    }

    fn elf(&self) -> Result<Elf<'_>, BuildError> {
        Elf::parse(&self.path, &self.data)
    }

    /// Puts the table where room for it has been reserved.
    fn patch(&mut self, table: &[u8]) -> Result<(), BuildError> {
        let start = self
            .elf()?
            .section(SECTION)?
            .map(|s| s.file_offset as usize);
        let room = start.and_then(|start| self.data.get_mut(start..)?.get_mut(..table.len()));
        let Some(room) = room else {
            return Err(BuildError::malformed(&self.path)(format!(
                "no room in {SECTION}"
            )));
        };
        room.copy_from_slice(table);
        Ok(())
    }

    /// What the verifier finds, one finding per line; nothing when the program is proven.
    fn verify(&self, program: &Transformed) -> Result<String, BuildError> {
        let site = |(id, site): (&u32, &Site)| VerifySite {
            id: *id,
            return_address: site.frame.return_address.0,
            function: program.sites[*id as usize].clone(),
            function_address: site.function.0,
            cfa_fp: site.frame.cfa_from_fp,
            size: site.frame.size,
            fp_off: site.frame.saved_fp,
            ra_off: site.frame.saved_return_address,
            called: program.called[*id as usize],
        };
        let sites: Vec<VerifySite> = self.sites.iter().map(site).collect();
        let report = match verify::verify(&self.data, self.isa, &sites, &program.signatures) {
            Ok(report) if report.is_clean() => return Ok(String::new()),
            Ok(report) => report,
            Err(error) => return Ok(format!("  {error}")),
        };
        let lines = Lines::of(&self.elf()?)?;
        let violations = report
            .violations
            .iter()
            .map(|v| self.finding(&lines, v.site, v.address, v));
        let unresolved = report
            .unresolved
            .iter()
            .map(|u| self.finding(&lines, u.site, u.address, u));
        let all: Vec<String> = violations.chain(unresolved).collect();
        Ok(all.join("\n"))
    }

    /// A finding of the verifier, with the source lines of the instruction and of the call, where they are known.
    fn finding(&self, lines: &Lines, site: u32, address: u64, what: &dyn Display) -> String {
        let line = |address| {
            lines
                .at(address)
                .map(|(file, line)| format!("{file}:{line}"))
        };
        let at = line(address).map_or_else(String::new, |at| format!("{at}: "));
        let call = self.sites.get(&site);
        let call = call.and_then(|site| line(site.frame.return_address.0 - 1));
        let call = call.map_or_else(String::new, |call| format!(", behind the call at {call}"));
        format!("  {at}{what}{call}")
    }

    /// The site with an id. One that a back end has dropped could not be rebuilt there.
    fn site(&self, id: u32, function: &str) -> Result<&Site, BuildError> {
        self.sites.get(&id).ok_or_else(|| BuildError::CallSite {
            site: id,
            function: function.to_owned(),
            isa: self.isa,
            what: "the back end has dropped the call; it is never reached".to_owned(),
        })
    }
}

fn table(x86_64: &Image, aarch64: &Image, program: &Transformed) -> Result<CallSites, BuildError> {
    let mut sites = Vec::new();
    for (id, function) in (0..).zip(&program.sites) {
        sites.push(CallSite {
            aarch64: aarch64.site(id, function)?.frame,
            x86_64: x86_64.site(id, function)?.frame,
        });
    }
    let start = |isa| {
        if isa == Isa::X86_64 {
            x86_64.start_return
        } else {
            aarch64.start_return
        }
    };
    CallSites::new(start, sites).map_err(|e| BuildError::Misaligned(e.to_string()))
}
