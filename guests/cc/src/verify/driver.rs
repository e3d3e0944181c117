//! The fixpoint over a program: every site of every function, followed to the next migrating call.

use std::collections::{BTreeMap, BTreeSet};

use isa::Isa;

use super::abi::Abi;
use super::apply::{apply, check_call, check_return};
use super::effect::{Flow, Insn};
use super::image::{Decoder, Image};
use super::report::{Report, Unresolved, VerifyError, VerifySite, Violation};
use super::state::State;
use super::tables;
use crate::signature::Signature;

/// Verifies that nothing but the described state is live across the calls `sites` of the linked program `elf`. What is called by a name
/// without a signature is taken to use every register that can pass an argument.
///
/// # Errors
///
/// When the file is not a readable ELF file for `isa`, or the sites do not fit to it. Violations are not errors but content of the
/// report.
pub fn verify(
    elf: &[u8],
    isa: Isa,
    sites: &[VerifySite],
    signatures: &BTreeMap<String, Signature>,
) -> Result<Report, VerifyError> {
    let image = Image::parse(elf, isa, signatures)?;
    let decoder = Decoder::new(isa)?;
    let mut by_function: BTreeMap<u64, Vec<&VerifySite>> = BTreeMap::new();
    for site in sites {
        by_function
            .entry(site.function_address)
            .or_default()
            .push(site);
    }
    let mut functions = BTreeMap::new();
    for (address, sites) in &by_function {
        let code = image
            .function(*address)
            .ok_or_else(|| VerifyError::NoFunction {
                site: sites[0].id,
                function: sites[0].function.clone(),
                address: *address,
            })?;
        let mut insns = decoder.decode(code, *address)?;
        image.resolve_constants(&mut insns);
        functions.insert(*address, Function::new(insns));
    }
    let program = Program {
        abi: Abi::of(isa),
        migrating: sites
            .iter()
            .map(|site| (site.return_address, site.called))
            .collect(),
        bases: tables::bases(functions.values()),
        image,
    };
    let mut report = Report {
        sites: sites.len(),
        ..Report::default()
    };
    for (address, sites) in &by_function {
        program.check_function(&functions[address], sites, &mut report)?;
    }
    Ok(report)
}

/// A decoded function.
pub(super) struct Function {
    /// Its instructions, by address.
    pub(super) insns: Vec<Insn>,
    /// For each instruction, the instructions that lead to it without a jump table.
    predecessors: Vec<Vec<usize>>,
}

impl Function {
    fn new(insns: Vec<Insn>) -> Self {
        let mut function = Self {
            predecessors: vec![Vec::new(); insns.len()],
            insns,
        };
        for at in 0..function.insns.len() {
            let (next, target) = match function.insns[at].flow {
                Flow::Next | Flow::Call(_) => (true, None),
                Flow::Jump(target) => (false, Some(target)),
                Flow::Branch(target, _) => (true, Some(target)),
                Flow::Return | Flow::Trap | Flow::Indirect(_) | Flow::Unknown => (false, None),
            };
            let target = target.and_then(|target| function.index(target));
            for to in next.then_some(at + 1).into_iter().chain(target) {
                if let Some(known) = function.predecessors.get_mut(to) {
                    known.push(at);
                }
            }
        }
        function
    }

    /// The number of the instruction at `address`.
    pub(super) fn index(&self, address: u64) -> Option<usize> {
        self.insns
            .binary_search_by_key(&address, |insn| insn.address)
            .ok()
    }

    /// The instructions that lead to instruction `at` without a jump table.
    pub(super) fn predecessors(&self, at: usize) -> &[usize] {
        &self.predecessors[at]
    }

    /// Whether paths meet at instruction `at`.
    fn is_join(&self, at: usize) -> bool {
        self.predecessors[at].len() != 1 || self.predecessors[at][0] + 1 != at
    }
}

/// What is wrong at an instruction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Violation(String),
    Unresolved(String),
}

/// Findings by instruction number.
type Findings = BTreeSet<(usize, Finding)>;

/// The program under test.
struct Program<'a> {
    abi: &'static Abi,
    image: Image<'a>,
    /// Return addresses of all migrating calls, and what they pass, where that is known.
    migrating: BTreeMap<u64, Option<Signature>>,
    /// Starts of jump tables.
    bases: BTreeSet<u64>,
}

impl Program<'_> {
    fn check_function(
        &self,
        function: &Function,
        sites: &[&VerifySite],
        report: &mut Report,
    ) -> Result<(), VerifyError> {
        for site in sites {
            let call = function.insns.iter().any(|insn| {
                insn.end() == site.return_address && matches!(insn.flow, Flow::Call(_))
            });
            if !call {
                return Err(VerifyError::NotBehindCall {
                    site: site.id,
                    function: site.function.clone(),
                    address: site.return_address,
                });
            }
        }
        if self.follow(function, sites).is_empty() {
            return Ok(());
        }
        for site in sites {
            for (at, finding) in self.follow(function, std::slice::from_ref(site)) {
                let insn = &function.insns[at];
                let (site, function, address, instruction) = (
                    site.id,
                    site.function.clone(),
                    insn.address,
                    insn.text.clone(),
                );
                match finding {
                    Finding::Violation(what) => report.violations.push(Violation {
                        site,
                        function,
                        address,
                        instruction,
                        what,
                    }),
                    Finding::Unresolved(what) => report.unresolved.push(Unresolved {
                        site,
                        function,
                        address,
                        instruction,
                        what,
                    }),
                }
            }
        }
        Ok(())
    }

    /// Follows the code behind `sites` to the fixpoint.
    fn follow(&self, function: &Function, sites: &[&VerifySite]) -> Findings {
        let mut walk = Walk {
            program: self,
            function,
            states: BTreeMap::new(),
            work: Vec::new(),
            findings: Findings::new(),
        };
        for site in sites {
            match function.index(site.return_address) {
                Some(at) => walk.work.push((at, State::behind(site, self.abi))),
                None => walk.lost(
                    function.insns.len() - 1,
                    "control runs past the end of the function",
                ),
            }
        }
        while let Some((at, state)) = walk.work.pop() {
            walk.block(at, state);
        }
        walk.findings
    }
}

/// One fixpoint iteration under way.
struct Walk<'a> {
    program: &'a Program<'a>,
    function: &'a Function,
    /// The joined state at each instruction where paths met.
    states: BTreeMap<usize, State>,
    /// Where to go on.
    work: Vec<(usize, State)>,
    findings: Findings,
}

impl Walk<'_> {
    fn violations(&mut self, at: usize, found: Vec<String>) {
        self.findings
            .extend(found.into_iter().map(|what| (at, Finding::Violation(what))));
    }

    fn lost(&mut self, at: usize, what: &str) {
        self.findings
            .insert((at, Finding::Unresolved(what.to_owned())));
    }

    /// Runs instructions from `at` to the end of the basic block.
    fn block(&mut self, mut at: usize, mut state: State) {
        match self.states.get_mut(&at) {
            Some(known) => {
                if !known.join(&state) {
                    return;
                }
                state = known.clone();
            }
            None => {
                self.states.insert(at, state.clone());
            }
        }
        let Program { abi, migrating, .. } = self.program;
        loop {
            let insn = &self.function.insns[at];
            if insn.flow == Flow::Unknown {
                return self.lost(at, "the instruction is not modelled");
            }
            let found = apply(abi, insn, &mut state);
            self.violations(at, found);
            match insn.flow {
                Flow::Return => return self.violations(at, check_return(abi, &state)),
                Flow::Trap | Flow::Unknown => return,
                Flow::Jump(target) => return self.jump(at, target, state),
                Flow::Indirect(through) => {
                    let Program { image, bases, .. } = self.program;
                    match tables::targets(image, self.function, bases, insn, through, &state) {
                        Ok(targets) => targets
                            .into_iter()
                            .for_each(|target| self.jump(at, target, state.clone())),
                        Err(why) => self.lost(at, &why),
                    }
                    return;
                }
                Flow::Branch(target, _) => self.jump(at, target, state.clone()),
                Flow::Call(target) => {
                    let site = migrating.get(&insn.end());
                    let known = site.copied().flatten();
                    let known = known.or_else(|| self.program.image.signature(target?));
                    self.violations(at, check_call(abi, &state, known, site.is_some()));
                    if site.is_some() {
                        return;
                    }
                    state.forget_call(abi);
                }
                Flow::Next => {}
            }
            if state.sp(abi).is_none() {
                return self.lost(
                    at,
                    "the stack pointer is no longer a known distance from the frame",
                );
            }
            at += 1;
            if at == self.function.insns.len() {
                return self.lost(at - 1, "control runs past the end of the function");
            }
            if self.function.is_join(at) || self.states.contains_key(&at) {
                return self.work.push((at, state));
            }
        }
    }

    /// Goes on at `target`; outside of the function, that is a tail call.
    fn jump(&mut self, at: usize, target: u64, state: State) {
        let function = self.function;
        let inside = function
            .insns
            .first()
            .is_some_and(|first| first.address <= target)
            && function
                .insns
                .last()
                .is_some_and(|last| target < last.end());
        match function.index(target) {
            Some(to) => self.work.push((to, state)),
            None if inside => self.lost(at, "a jump into the middle of an instruction"),
            None => {
                let known = self.program.image.signature(target);
                let mut found = check_call(self.program.abi, &state, known, false);
                found.extend(
                    check_return(self.program.abi, &state)
                        .into_iter()
                        .filter(|what| !what.starts_with("returns poison")),
                );
                self.violations(at, found);
            }
        }
    }
}
