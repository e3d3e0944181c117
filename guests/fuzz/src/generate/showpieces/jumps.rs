//! Showpieces about jumps: setjmp and longjmp, and computed goto.

use super::super::Generator;
use super::super::types::U64;

/// longjmp out of a recursion, several times to the same place.
pub fn far_jump(g: &mut Generator, name: &str) {
    let ty = g.types.scalar(&mut g.draw);
    let c = g.types.name(ty);
    g.text.line("static jmp_buf landing;");
    g.text
        .open(format!("static u64 leap(int depth, {c} value) {{"));
    g.text.line("u64 local[3] = {(u64)depth, 5, 11};");
    g.text.line("if (depth % 2) point();");
    g.text
        .line("if (depth == 0) longjmp(landing, (int)local[2]);");
    g.text.line("u64 below = leap(depth - 1, value);");
    g.text.line("return below + local[1];");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    let value = g.expression(ty, 2);
    let rounds = g.draw.between(1, 4);
    let deep = g.draw.between(1, 9);
    g.text.line(format!("{c} kept = {value};"));
    g.text.line("u64 before[2] = {3, 4};");
    g.text.line("volatile int rounds = 0;");
    g.text.line("int came = setjmp(landing);");
    if g.draw.chance(70) {
        g.text.line("point();");
    }
    g.text.line("mix((u64)came + before[1]);");
    g.text.line("rounds = rounds + 1;");
    g.text
        .line(format!("if (rounds <= {rounds}) mix(leap({deep}, kept));"));
    g.text.line("point();");
    g.mix("kept", ty);
    g.text.shut("}");
}

/// An interpreter in threaded code: labels in a table, and a goto at the end of each operation.
pub fn interpreter(g: &mut Generator, name: &str) {
    let operations = g.draw.between(3, 7);
    let length = g.draw.between(5, 40);
    let code: Vec<String> = (0..length)
        .map(|_| g.draw.below(operations).to_string())
        .collect();
    g.text.open("static u64 interpret(const u8 *code) {");
    let labels: Vec<String> = (0..=operations)
        .map(|n| format!("&&operation{n}"))
        .collect();
    g.text.line(format!(
        "static const void *const labels[] = {{{}}};",
        labels.join(", ")
    ));
    g.text.line("u64 accumulator = 1, steps = 0;");
    g.text.line("goto *(void *)labels[*code++];");
    for n in 0..operations {
        g.text.line(format!("operation{n}:"));
        if g.draw.chance(40) {
            g.text.line("point();");
        }
        let value = g.expression(U64, 2);
        let operator = g.draw.pick(&["+", "^", "*"]);
        g.text.line(format!(
            "accumulator = accumulator {operator} ({value} | 1);"
        ));
        g.text.line("steps++;");
        g.text.line("goto *(void *)labels[*code++];");
    }
    g.text.line(format!("operation{operations}:"));
    g.text.line("return accumulator + steps;");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    g.text.line(format!(
        "static const u8 code[] = {{{}, {operations}}};",
        code.join(", ")
    ));
    g.text.line("mix(interpret(code));");
    g.text.line("point();");
    g.text.line("mix(interpret(code + 1));");
    g.text.shut("}");
}
