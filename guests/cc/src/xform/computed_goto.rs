//! Computed goto (GNU C's `&&label` and `goto *p`): the address of a label, which would differ between the ISAs, becomes a number, and the jump a
//! switch over these numbers.
//!
//! Numbers count from 1 within each function, so that no label equals a null pointer. They are put wherever the address stood: in code, in the
//! initial values of variables, and in differences of labels, which are then differences of numbers. Jumping to what is no label of the
//! function is undefined, as it is in GNU C.

use inkwell::llvm_sys::LLVMOpcode;

use super::ir::{Block, Ir, Lookup, Value};

/// Lowers the labels and jumps of all functions.
pub fn lower(ir: &Ir<'_>) {
    for function in ir.defined_functions() {
        let jumps: Vec<Value> = function
            .instructions()
            .into_iter()
            .filter(|i| i.is(LLVMOpcode::LLVMIndirectBr))
            .collect();
        let addresses: Vec<(Value, Block)> = function
            .users()
            .into_iter()
            .filter_map(|user| Some((user, user.labelled_block()?)))
            .collect();
        if jumps.is_empty() && addresses.is_empty() {
            continue;
        }
        let number = numbers(function);
        for (address, block) in addresses {
            let number = number.get(block).copied().unwrap_or_default();
            address.replace_all_uses_with(ir.constant_pointer(number));
        }
        for jump in jumps {
            lower_jump(ir, function, jump, &number);
        }
    }
}

/// The number of each block. All blocks have one, and so all that labels can name.
fn numbers(function: Value) -> Lookup<Block, u64> {
    function.blocks().into_iter().zip(1..).collect()
}

fn lower_jump(ir: &Ir<'_>, function: Value, jump: Value, number: &Lookup<Block, u64>) {
    let nowhere = ir.append_block(function);
    ir.at_end(nowhere);
    ir.unreachable();
    ir.before(jump);
    let target = ir.pointer_to_integer(jump.operand(0));
    let mut cases = Vec::new();
    // Phi nodes count edges, so a block that is named twice needs a second edge, of a number that no label has.
    let mut spare = function.blocks().len() as u64 + 1;
    let mut seen = Lookup::new();
    for block in jump.block().successors() {
        let first = seen.insert(block, ());
        let own = number.get(block).copied().filter(|_| first);
        cases.push((own.unwrap_or(spare), block));
        spare += u64::from(own.is_none());
    }
    ir.switch(target, nowhere, &cases);
    jump.erase();
}
