/*
 * NAS Parallel Benchmarks, CG (conjugate gradient), class S: the smallest eigenvalue of a sparse symmetric matrix of 1,400 rows by
 * inverse power iteration, with the published verification value.
 */
#include <math.h>

#include "npb.h"
#include "plan.h"

enum {
    NA = 1400,
    NONZER = 7,
    NITER = 15,
    CG_STEPS = 25,
    /* Entries of one generating vector: NONZER random ones and the diagonal's. */
    VECTOR = NONZER + 1,
    SEED = 314159265,
    /* Smallest power of two that is not below NA. */
    LOCATIONS = 2048,
};

#define SHIFT 10.0
#define RCOND 0.1
#define ZETA 8.5971775078648
#define EPSILON 1e-10

struct sparse_vector {
    int count;
    int place[VECTOR];
    double value[VECTOR];
};

/* One row of the matrix: entries in ascending columns. */
struct row {
    int count;
    int room;
    int *column;
    double *value;
};

static struct row matrix[NA];
static double x[NA], z[NA], p[NA], q[NA], r[NA];

/* A vector with NONZER random entries at different random places, and 0.5 at place `own`. */
static struct sparse_vector generate(uint64_t *seed, int own)
{
    struct sparse_vector v = {0};
    while (v.count < NONZER) {
        double value = npb_random(seed);
        int place = (int)((double)LOCATIONS * npb_random(seed)), seen = place >= NA;
        for (int i = 0; i < v.count && !seen; i++)
            seen = v.place[i] == place;
        if (seen)
            continue;
        v.place[v.count] = place;
        v.value[v.count++] = value;
    }
    int at = 0;
    while (at < v.count && v.place[at] != own)
        at++;
    if (at == v.count)
        v.count++;
    v.place[at] = own;
    v.value[at] = 0.5;
    return v;
}

static void add_entry(struct row *row, int column, double value)
{
    int at = row->count;
    while (at > 0 && row->column[at - 1] > column)
        at--;
    if (at > 0 && row->column[at - 1] == column) {
        row->value[at - 1] += value;
        return;
    }
    if (row->count == row->room) {
        row->room = row->room ? 2 * row->room : 32;
        row->column = realloc(row->column, (size_t)row->room * sizeof *row->column);
        row->value = realloc(row->value, (size_t)row->room * sizeof *row->value);
        if (!row->column || !row->value) {
            printf("out of memory\n");
            exit(EXIT_FAILURE);
        }
    }
    memmove(row->column + at + 1, row->column + at, (size_t)(row->count - at) * sizeof *row->column);
    memmove(row->value + at + 1, row->value + at, (size_t)(row->count - at) * sizeof *row->value);
    row->column[at] = column;
    row->value[at] = value;
    row->count++;
}

/* The sum of weighted outer products of the vectors, weights falling from 1 to RCOND, plus RCOND - SHIFT on the diagonal. */
static void make_matrix(uint64_t *seed)
{
    double weight = 1, ratio = pow(RCOND, 1.0 / (double)NA);
    for (int own = 0; own < NA; own++, weight *= ratio) {
        struct sparse_vector v = generate(seed, own);
        for (int i = 0; i < v.count; i++) {
            double scale = weight * v.value[i];
            for (int k = 0; k < v.count; k++) {
                int diagonal = v.place[i] == own && v.place[k] == own;
                add_entry(&matrix[v.place[i]], v.place[k], v.value[k] * scale + (diagonal ? RCOND - SHIFT : 0));
            }
        }
    }
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < NA; i++)
        sum += a[i] * b[i];
    return sum;
}

static void multiply(const double *vector, double *product)
{
    for (int i = 0; i < NA; i++) {
        double sum = 0;
        for (int k = 0; k < matrix[i].count; k++)
            sum += matrix[i].value[k] * vector[matrix[i].column[k]];
        product[i] = sum;
    }
}

/* Solves A z = x by CG_STEPS steps; returns the norm of the residual. */
static __attribute__((noinline)) double conjugate_gradient(void)
{
    for (int i = 0; i < NA; i++) {
        z[i] = 0;
        r[i] = p[i] = x[i];
    }
    double rho = dot(r, r);
    for (int step = 0; step < CG_STEPS; step++) {
        multiply(p, q);
        if (step == CG_STEPS / 2)
            MIGRATION_POINT();
        double alpha = rho / dot(p, q);
        for (int i = 0; i < NA; i++) {
            z[i] += alpha * p[i];
            r[i] -= alpha * q[i];
        }
        double previous = rho;
        rho = dot(r, r);
        double beta = rho / previous;
        for (int i = 0; i < NA; i++)
            p[i] = r[i] + beta * p[i];
    }
    multiply(z, q);
    double sum = 0;
    for (int i = 0; i < NA; i++)
        sum += (x[i] - q[i]) * (x[i] - q[i]);
    return sqrt(sum);
}

int main(int argc, char **argv)
{
    plan_begin(argc, argv, "back");
    uint64_t seed = SEED;
    npb_random(&seed);
    make_matrix(&seed);
    for (int i = 0; i < NA; i++)
        x[i] = 1;
    double zeta = 0;
    for (int iteration = 1; iteration <= NITER; iteration++) {
        double residual = conjugate_gradient();
        zeta = SHIFT + 1 / dot(x, z);
        double scale = 1 / sqrt(dot(z, z));
        for (int i = 0; i < NA; i++)
            x[i] = scale * z[i];
        printf("%2d  residual %.14e  zeta %.13f\n", iteration, residual, zeta);
    }
    return verdict("npb_cg class S", fabs(zeta - ZETA) / ZETA <= EPSILON);
}
