//! Applies one row of unwind information: from the registers of a frame to those of its caller.
//!
//! A register without a rule keeps its value, as both ABIs have it for what a function did not save.

use gimli::{
    CfaRule, EhFrame, EvaluationResult, FrameDescriptionEntry, Location, Register, RegisterRule,
    UnwindExpression, UnwindTableRow, Value,
};

use super::registers::Registers;
use super::{Method, Slice, Step, Stop};
use crate::VirtAddr;

/// Longest expression that is evaluated, in operations: a hostile one may loop.
const MAX_OPERATIONS: u32 = 1000;

type Read<'a> = &'a mut dyn FnMut(VirtAddr) -> Option<u64>;

pub(super) fn apply(
    section: &EhFrame<Slice<'_>>,
    fde: &FrameDescriptionEntry<Slice<'_>>,
    row: &UnwindTableRow<usize>,
    pc: VirtAddr,
    registers: &Registers,
    read: Read<'_>,
) -> Result<Step, Stop> {
    let mut machine = Machine {
        section,
        fde,
        pc,
        registers,
        read,
    };
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            machine.register(*register)?.wrapping_add_signed(*offset)
        }
        CfaRule::Expression(expression) => machine.evaluate(expression, None)?,
    };
    let mut caller = registers.clone();
    caller.set_sp(VirtAddr(cfa));
    let return_register = fde.cie().return_address_register();
    let mut return_address = registers.get(return_register);
    for &(register, ref rule) in row.registers() {
        let value = machine.value(register, rule, cfa)?;
        if register == return_register {
            return_address = value;
        }
        caller.set(register, value);
    }
    Ok(Step {
        cfa: VirtAddr(cfa),
        caller,
        return_address: return_address.map(VirtAddr),
        signal: fde.is_signal_trampoline(),
        method: Method::UnwindInfo,
    })
}

/// What rules are evaluated against.
struct Machine<'a> {
    section: &'a EhFrame<Slice<'a>>,
    fde: &'a FrameDescriptionEntry<Slice<'a>>,
    pc: VirtAddr,
    registers: &'a Registers,
    read: Read<'a>,
}

impl Machine<'_> {
    /// The value of a register in the caller; `None` when it is lost.
    fn value(
        &mut self,
        register: Register,
        rule: &RegisterRule<usize>,
        cfa: u64,
    ) -> Result<Option<u64>, Stop> {
        Ok(match rule {
            RegisterRule::Undefined => None,
            RegisterRule::SameValue => self.registers.get(register),
            RegisterRule::Offset(offset) => Some(self.load(cfa.wrapping_add_signed(*offset))?),
            RegisterRule::ValOffset(offset) => Some(cfa.wrapping_add_signed(*offset)),
            RegisterRule::Register(other) => self.registers.get(*other),
            RegisterRule::Expression(expression) => {
                let address = self.evaluate(expression, Some(cfa))?;
                Some(self.load(address)?)
            }
            RegisterRule::ValExpression(expression) => Some(self.evaluate(expression, Some(cfa))?),
            RegisterRule::Constant(value) => Some(*value),
            _ => return Err(self.bad(format!("the rule for register {} is not known", register.0))),
        })
    }

    /// Runs an expression, with `initial` on its stack.
    fn evaluate(
        &mut self,
        expression: &UnwindExpression<usize>,
        initial: Option<u64>,
    ) -> Result<u64, Stop> {
        let expression = expression
            .get(self.section)
            .map_err(|error| self.bad(error.to_string()))?;
        let mut evaluation = expression.evaluation(self.fde.cie().encoding());
        evaluation.set_max_iterations(MAX_OPERATIONS);
        if let Some(initial) = initial {
            evaluation.set_initial_value(initial);
        }
        let mut state = evaluation.evaluate();
        loop {
            state = match state.map_err(|error| self.bad(error.to_string()))? {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let bits = 8 * u32::from(size.clamp(1, 8));
                    let value = self.load(address)? & (u64::MAX >> (64 - bits));
                    evaluation.resume_with_memory(Value::Generic(value))
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = self.register(register)?;
                    evaluation.resume_with_register(Value::Generic(value))
                }
                other => {
                    return Err(
                        self.bad(format!("an expression needs what is not known: {other:?}"))
                    );
                }
            };
        }
        match evaluation.as_result() {
            [piece] => match piece.location {
                Location::Address { address } => Ok(address),
                _ => Err(self.bad("an expression gives no address".to_owned())),
            },
            _ => Err(self.bad("an expression gives no single value".to_owned())),
        }
    }

    fn register(&self, register: Register) -> Result<u64, Stop> {
        let value = self.registers.get(register);
        value.ok_or_else(|| {
            self.bad(format!(
                "register {} is needed, but its value is lost",
                register.0
            ))
        })
    }

    fn load(&mut self, address: u64) -> Result<u64, Stop> {
        (self.read)(VirtAddr(address)).ok_or(Stop::Unreadable(VirtAddr(address)))
    }

    fn bad(&self, reason: String) -> Stop {
        Stop::BadUnwindInfo {
            pc: self.pc,
            reason,
        }
    }
}
