//! Showpieces about the C library: sorting and searching with callbacks that hop, printing, strings, and a thread.

use super::super::Generator;
use super::super::types::{Type, U32, U64};

/// qsort and bsearch. The order is total, so that every library comes to the same.
pub fn sort(g: &mut Generator, name: &str) {
    let often = g.draw.between(1, 6);
    g.text.line("struct entry { u32 key; u16 number; };");
    g.text
        .open("static int compare(const void *left, const void *right) {");
    g.text.line("const struct entry *a = left, *b = right;");
    g.text.line("static u32 calls;");
    g.text.line(format!("if (calls++ % {often} == 0) point();"));
    g.text
        .line("if (a->key != b->key) return a->key < b->key ? -1 : 1;");
    g.text.line("return (int)a->number - (int)b->number;");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    let count = g.draw.between(2, 24);
    let step = g.draw.bits() as u32 | 1;
    g.text.line(format!("struct entry entries[{count}];"));
    g.text.line(format!(
        "for (u32 k = 0; k < {count}; k++) entries[k] = (struct entry){{k * {step}u >> 27, (u16)k}};"
    ));
    g.text.line(format!(
        "qsort(entries, {count}, sizeof *entries, compare);"
    ));
    g.text.line(format!(
        "for (u32 k = 0; k < {count}; k++) mix(entries[k].key * 100 + entries[k].number);"
    ));
    let wanted = g.draw.below(count);
    g.text
        .line(format!("struct entry wanted = entries[{wanted}];"));
    g.text.line(format!(
        "struct entry *found = bsearch(&wanted, entries, {count}, sizeof *entries, compare);"
    ));
    g.text.line("mix((u64)(found - entries));");
    g.text.shut("}");
}

/// Conversions of printf and back.
pub fn format(g: &mut Generator, name: &str) {
    g.text.open(format!("static void {name}(void) {{"));
    g.text.line("char line[256];");
    for _ in 0..g.draw.between(1, 4) {
        let [a, b] = [U64, U32].map(|ty| g.expression(ty, 2));
        let d = g.expression(Type::Double, 2);
        g.text.open("{");
        g.text
            .line(format!("unsigned long long a = {a}, back = 0;"));
        g.text.line(format!("u32 b = {b};"));
        g.text.line(format!("double d = bounded({d}), again = 0;"));
        g.text.line("int length = snprintf(line, sizeof line, \"%llx|%#o|%-12d|%.15e|%s|%c|%5.1f\", a, b, (int)b, d, \"text\", 'x', d);");
        g.text.line("point();");
        g.text.line("puts(line);");
        g.text
            .line("sscanf(line, \"%llx|%*[^|]|%*d|%lf\", &back, &again);");
        g.text
            .line("mix((u64)back + (u64)length + (u64)(back == a) + (u64)(again == d));");
        g.text.line("point();");
        g.text.shut("}");
    }
    g.text.shut("}");
}

/// The string functions, over buffers on stack and heap.
pub fn strings(g: &mut Generator, name: &str) {
    let words: Vec<String> = (0..g.draw.between(2, 6))
        .map(|_| {
            let length = g.draw.between(1, 9);
            (0..length)
                .map(|_| char::from(b'a' + g.draw.below(26) as u8))
                .collect()
        })
        .collect();
    g.text.open(format!("static void {name}(void) {{"));
    g.text.line("char buffer[128] = \"\";");
    for word in &words {
        g.text
            .line(format!("strcat(strcat(buffer, \"{word}\"), \"-\");"));
        if g.draw.chance(40) {
            g.text.line("point();");
        }
    }
    g.text.line("char *copy = strdup(buffer);");
    g.text.line("point();");
    g.text
        .line("for (char *word = strtok(copy, \"-\"); word; word = strtok(0, \"-\")) {");
    g.text
        .line("    mix(strlen(word) * 256 + (u64)(strstr(buffer, word) - buffer));");
    g.text.line("    point();");
    g.text.line("}");
    g.text
        .line("mix((u64)(memcmp(buffer, copy, 4) == 0) + (u64)(strcmp(buffer, copy) > 0));");
    g.text.line("free(copy);");
    g.text.shut("}");
}

/// A thread that hops while another one waits for it, each with thread-local variables of its own.
pub fn thread(g: &mut Generator, name: &str) {
    let kind = g.draw.below(g.types.pointees.len());
    let ty = g.types.pointees[kind];
    g.text.open("static void *aside(void *argument) {");
    g.text.line("u64 *shared = argument;");
    // No more than this: pointers to its thread-local variables must not outlive it.
    let value = g.constant(ty);
    g.text.line(format!("local{kind} = {value};"));
    g.text.line("point();");
    g.mix(&format!("local{kind}"), ty);
    g.text.line("shared[1] += shared[0] * 3;");
    g.text.line("point();");
    g.text.line("return &shared[1];");
    g.text.shut("}");
    g.text.open(format!("static void {name}(void) {{"));
    g.text.line("u64 shared[2] = {5, 9};");
    let rounds = g.draw.between(1, 3);
    g.text
        .open(format!("for (int k = 0; k < {rounds}; k++) {{"));
    g.text.line("pthread_t thread;");
    g.text.line("void *result = 0;");
    g.text
        .line("if (pthread_create(&thread, 0, aside, shared)) abort();");
    g.text.line("pthread_join(thread, &result);");
    g.text.line("mix(*(u64 *)result);");
    g.text.line("point();");
    g.text.shut("}");
    g.mix(&format!("local{kind}"), ty);
    g.text.shut("}");
}
