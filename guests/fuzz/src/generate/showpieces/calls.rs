//! Showpieces about calls: variable argument lists, many values across a hop, and frames of run-time size.

use super::super::Generator;
use super::super::scope::{Access, Variable};
use super::super::types::{Type, U32};

/// A function with a variable argument list, called directly and through a pointer, which walks its list twice, once in another function.
pub fn variadic(g: &mut Generator, name: &str) {
    let kinds: Vec<Type> = (0..g.draw.between(2, 5)).map(|_| g.promoted()).collect();
    g.text
        .open("static void take_list(const char *kinds, va_list list) {");
    g.text.open("for (; *kinds; kinds++) {");
    g.text.open("switch (*kinds) {");
    for (k, ty) in kinds.iter().enumerate() {
        let c = g.types.name(*ty);
        g.text.line(format!("case '{k}': {{"));
        g.text.line(format!("{c} one = va_arg(list, {c});"));
        if g.draw.chance(60) {
            g.text.line("point();");
        }
        g.mix("one", *ty);
        g.text.line("break; }");
    }
    g.text.shut("}");
    g.text.shut("}");
    g.text.shut("}");
    g.text
        .open("static u64 variadic_sum(double factor, const char *kinds, ...) {");
    g.text.line("va_list list, again;");
    g.text.line("va_start(list, kinds);");
    g.text.line("va_copy(again, list);");
    g.text.line("take_list(kinds, list);");
    g.text.line("point();");
    g.text.line("va_end(list);");
    g.text.line("take_list(kinds, again);");
    g.text.line("va_end(again);");
    g.text.line("return (u64)whole(factor * 3);");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    g.text
        .line("u64 (*volatile pointer)(double, const char *, ...) = variadic_sum;");
    for _ in 0..g.draw.between(2, 4) {
        let chosen: Vec<usize> = (0..g.draw.between(0, 12))
            .map(|_| g.draw.below(kinds.len()))
            .collect();
        let list: String = chosen.iter().map(ToString::to_string).collect();
        let mut arguments = vec![g.expression(Type::Double, 1), format!("\"{list}\"")];
        for k in chosen {
            let value = g.expression(kinds[k], 1);
            // What is narrower than an int in an expression would not arrive as its own type.
            arguments.push(match kinds[k] {
                Type::Int { .. } => format!("({})({value})", g.types.name(kinds[k])),
                Type::Double => format!("(double)({value})"),
                _ => value,
            });
        }
        let callee = g.draw.pick(&["variadic_sum", "pointer"]);
        g.text
            .line(format!("mix({callee}({}));", arguments.join(", ")));
    }
    g.text.shut("}");
}

/// More values than there are registers, all of which are needed after each hop.
pub fn many_values(g: &mut Generator, name: &str) {
    g.text.open(format!("static void {name}(void) {{"));
    let mut values = Vec::new();
    for n in 0..g.draw.between(12, 40) {
        let ty = g.types.scalar(&mut g.draw);
        let value = g.expression(ty, 2);
        let variable = format!("value{n}");
        let c = g.types.name(ty);
        g.text.line(format!("{c} {variable} = {value};"));
        g.know(&Variable {
            name: &variable,
            ty,
            count: None,
            access: Access::Write,
        });
        values.push((variable, ty));
    }
    for _ in 0..g.draw.between(1, 4) {
        g.text.line("point();");
        for (variable, ty) in &values {
            if g.draw.chance(40) && !matches!(ty, Type::Float | Type::Double | Type::Complex) {
                let value = g.expression(*ty, 1);
                g.text.line(format!("{variable} = {value};"));
            }
        }
    }
    for (variable, ty) in values {
        g.mix(&variable, ty);
    }
    g.text.shut("}");
}

/// Recursion through frames whose size is known at run time only.
pub fn run_time_frames(g: &mut Generator, name: &str) {
    let ty = g.types.scalar(&mut g.draw);
    let c = g.types.name(ty);
    g.text.open("static u64 deeper(u32 depth, u64 *above) {");
    g.know(&Variable {
        name: "depth",
        ty: U32,
        count: None,
        access: Access::Read,
    });
    g.text.line(format!("{c} row[depth + 8];"));
    g.text.line("u64 here[depth + 1];");
    let value = g.expression(ty, 2);
    g.text.line(format!(
        "for (u32 k = 0; k < depth + 8; k++) row[k] = {value};"
    ));
    g.text
        .line("for (u32 k = 0; k <= depth; k++) here[k] = above[0] + k;");
    g.text.line("if (depth % 3 == 0) point();");
    g.text.open("for (u32 round = 0; round < 2; round++) {");
    g.text
        .line("u8 *more = __builtin_alloca(depth * 3 + round + 1);");
    g.text
        .line("memset(more, (int)(depth + round), depth * 3 + round + 1);");
    g.text.line("if (round == depth % 2) point();");
    g.text.line("here[0] += more[depth * 3];");
    g.text.shut("}");
    g.text
        .line("u64 below = depth ? deeper(depth - 1, here) : above[0];");
    g.mix("row[depth]", ty);
    g.text.line("return below ^ here[depth];");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    let depth = g.draw.between(3, 14);
    g.text.line("u64 first[1] = {7};");
    g.text.line(format!("mix(deeper({depth}, first));"));
    g.text.shut("}");
}
