//! The 512 bytes of FXSAVE: Intel SDM volume 1, table 10-2 (64-bit format), as `sigcontext.fpstate` points to them.
//!
//! Linux also notes the last 48 bytes for extended state (AVX); without XSAVE they are zero. FIP, FDP and FOP are not kept by this project's register file.

use crate::X86_64Regs;

/// Size in bytes.
pub const LEN: usize = 512;

const FCW: usize = 0;
const FSW: usize = 2;
const FTW: usize = 4;
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
const ST: usize = 32;
const XMM: usize = 160;
/// The bits of MXCSR that exist.
const MXCSR_BITS: u32 = 0xffff;
const TAG_VALID: u16 = 0;
const TAG_ZERO: u16 = 1;
const TAG_SPECIAL: u16 = 2;
const TAG_EMPTY: u16 = 3;

/// Writes the state to `out`, which is zero.
pub fn save(regs: &X86_64Regs, out: &mut [u8]) {
    let x87 = &regs.x87;
    out[FCW..FCW + 2].copy_from_slice(&x87.control.to_le_bytes());
    out[FSW..FSW + 2].copy_from_slice(&x87.status.to_le_bytes());
    for register in 0..8 {
        let full = x87.tag >> (2 * register) & 3;
        out[FTW] |= u8::from(full != TAG_EMPTY) << register;
    }
    out[MXCSR..MXCSR + 4].copy_from_slice(&regs.mxcsr.to_le_bytes());
    out[MXCSR_MASK..MXCSR_MASK + 4].copy_from_slice(&MXCSR_BITS.to_le_bytes());
    for (index, st) in x87.st.iter().enumerate() {
        out[ST + 16 * index..ST + 16 * index + 10].copy_from_slice(st);
    }
    for (index, xmm) in regs.xmm.iter().enumerate() {
        out[XMM + 16 * index..XMM + 16 * (index + 1)].copy_from_slice(&xmm.to_le_bytes());
    }
}

/// The reverse: FXRSTOR, with reserved bits of MXCSR dropped instead of a fault.
pub fn load(regs: &mut X86_64Regs, bytes: &[u8; LEN]) {
    let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let x87 = &mut regs.x87;
    x87.control = half(FCW);
    x87.status = half(FSW);
    for (index, st) in x87.st.iter_mut().enumerate() {
        st.copy_from_slice(&bytes[ST + 16 * index..ST + 16 * index + 10]);
    }
    let top = usize::from(x87.status >> 11 & 7);
    x87.tag = (0..8).fold(0, |tag, register| {
        let used = bytes[FTW] >> register & 1 == 1;
        let content = &x87.st[(register + 8 - top) % 8];
        tag | if used { tag_of(content) } else { TAG_EMPTY } << (2 * register)
    });
    regs.mxcsr = u32::from_le_bytes([
        bytes[MXCSR],
        bytes[MXCSR + 1],
        bytes[MXCSR + 2],
        bytes[MXCSR + 3],
    ]) & MXCSR_BITS;
    for (index, xmm) in regs.xmm.iter_mut().enumerate() {
        let mut lane = [0; 16];
        lane.copy_from_slice(&bytes[XMM + 16 * index..XMM + 16 * (index + 1)]);
        *xmm = u128::from_le_bytes(lane);
    }
}

/// The full tag of a register that is in use (Intel SDM volume 1, section 8.1.7).
fn tag_of(st: &[u8; 10]) -> u16 {
    let exponent = u16::from_le_bytes([st[8], st[9]]) & 0x7fff;
    let integer_bit = st[7] & 0x80 != 0;
    match exponent {
        0 if st[..8].iter().all(|byte| *byte == 0) => TAG_ZERO,
        0 | 0x7fff => TAG_SPECIAL,
        _ if integer_bit => TAG_VALID,
        _ => TAG_SPECIAL,
    }
}
