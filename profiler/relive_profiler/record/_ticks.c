/* Where other threads compute: a timer on the CPU time of each signals it, and the signal's handler notes the
 * stack on the thread itself.
 *
 * A look from the main thread needs the interpreter, which the others give up when they enter native code or
 * wait: so it finds them there and not where they compute. The handler here needs nothing of the interpreter. It
 * runs on the thread whose frames it reads, so that these stand still, allocates nothing, takes no lock and
 * changes no object. What it follows is looked at first: whether the memory is there (mincore), and whether it is
 * an object of the type that it has to be. What it cannot read it leaves.
 *
 * Frames, code objects and context variables are read as the interpreter has them inside, which is the same
 * within each of the versions below; for others this is not compiled, and threads.py does what can be done
 * without. */

#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030E0000 || defined(Py_GIL_DISABLED)
#error "it is written for CPython 3.11 to 3.13 with a GIL"
#endif

#include "internal/pycore_context.h"
#include "internal/pycore_frame.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define SECOND_NS 1000000000LL
#define THREADS 64
#define TICKS 256  /* not fetched yet */
#define DEPTH 200
#define CODES 256  /* whose names are not fetched yet */
#define NAME_BYTES 256
#define FILE_BYTES 1024
#define KNOWN 8192 /* a power of 2 */
#define KNOWN_MOST (KNOWN / 4 * 3)
#define PAGES 64   /* that one tick remembers; a power of 2 */
#define LINE_TRIES 64
#define LEVELS 8   /* of a HAMT */
#define OBJECT_MOST (1 << 24)

typedef struct {
    long tid; /* 0: free */
    timer_t timer;
    long long tick_ns;     /* of the kernel's */
    long long interval_ns; /* the shortest */
    long long share;       /* of the CPU time since `begun_ns`; 0: always the shortest */
    long long begun_ns;
    int unnoted;           /* of the kernel's ticks that met it */
} Thread;

typedef struct {
    uint64_t code;
    int line;
} Place;

typedef struct {
    int state; /* FREE, TAKEN, FULL */
    long tid;
    long long cpu_ns;
    int count; /* of the kernel's ticks */
    uintptr_t owner;
    int depth;
    int cut;
    Place places[DEPTH];
} Tick;

typedef struct {
    int state;
    uint64_t code;
    int name_bytes, file_bytes;
    char name[NAME_BYTES];
    char file[FILE_BYTES];
} Code;

enum { FREE, TAKEN, FULL };

static Thread threads[THREADS];
static Tick ticks[TICKS];
static Code codes[CODES];
static uint64_t known[KNOWN];
static int known_count;
static unsigned next_tick, next_code;
static int lost;
static int installed; /* the signal */
static PyObject *variable; /* whose value says whose code runs; never given back */
static uintptr_t page_bytes;

/* ---------------------------------------------------------------- memory that may be read */

typedef struct {
    uintptr_t pages[PAGES];
} Readable;

static int
readable(Readable *seen, const void *at, size_t bytes)
{
    uintptr_t first = (uintptr_t)at & ~(page_bytes - 1), last = ((uintptr_t)at + bytes - 1) & ~(page_bytes - 1);

    if (first < page_bytes || last < first || bytes > OBJECT_MOST) {
        return 0;
    }
    for (uintptr_t page = first; page <= last; page += page_bytes) {
        unsigned char there;
        uintptr_t *place = &seen->pages[(page / page_bytes) & (PAGES - 1)];
        if (*place == page) {
            continue;
        }
        if (mincore((void *)page, page_bytes, &there) != 0) {
            return 0;
        }
        *place = page;
    }
    return 1;
}

static int
is_object(Readable *seen, const void *at, const PyTypeObject *type, size_t bytes)
{
    return ((uintptr_t)at & (sizeof(void *) - 1)) == 0 && readable(seen, at, bytes)
           && Py_TYPE((PyObject *)at) == type;
}

/* ---------------------------------------------------------------- whose code runs */

typedef struct {
    PyObject_HEAD
    PyObject *children[32];
    Py_ssize_t count;
} ArrayNode; /* as hamt.c has it */

static int
is_named(Readable *seen, PyObject *object, const char *name)
{
    PyTypeObject *type;
    if (((uintptr_t)object & (sizeof(void *) - 1)) != 0 || !readable(seen, object, sizeof(PyObject))) {
        return 0;
    }
    type = Py_TYPE(object);
    return readable(seen, type, sizeof(PyTypeObject)) && readable(seen, type->tp_name, strlen(name) + 1)
           && strcmp(type->tp_name, name) == 0;
}

/* The hash that a HAMT places its keys by. */
static int32_t
hamt_hash(Py_hash_t hash)
{
    int32_t folded = (int32_t)(hash & 0xffffffffl) ^ (int32_t)(hash >> 32);
    return folded == -1 ? -2 : folded;
}

typedef struct {
    PyObject_VAR_HEAD
    uint32_t bitmap;
    PyObject *items[1]; /* key and value; no key: the value is a node */
} BitmapNode;

/* The address of the variable's value in the thread's context; 0 if there is none. */
static uintptr_t
owner_in(Readable *seen, PyThreadState *state)
{
    PyContext *context = (PyContext *)state->context;
    PyHamtObject *vars;
    PyObject *node;
    uint32_t hash;

    if (variable == NULL || context == NULL || !is_object(seen, context, &PyContext_Type, sizeof(PyContext))) {
        return 0;
    }
    vars = context->ctx_vars;
    if (!is_named(seen, (PyObject *)vars, "hamt") || !readable(seen, vars, sizeof(PyHamtObject))) {
        return 0;
    }
    node = (PyObject *)vars->h_root;
    hash = (uint32_t)hamt_hash(((PyContextVar *)variable)->var_hash);
    for (int level = 0; level < LEVELS && node != NULL; level++) {
        uint32_t part = (hash >> (level * 5)) & 31;
        if (is_named(seen, node, "hamt_bitmap_node")) {
            BitmapNode *bitmap = (BitmapNode *)node;
            uint32_t bit = 1u << part;
            int at;
            if (!readable(seen, bitmap, sizeof(BitmapNode)) || !(bitmap->bitmap & bit)) {
                return 0;
            }
            at = 2 * __builtin_popcount(bitmap->bitmap & (bit - 1));
            if (!readable(seen, &bitmap->items[at], 2 * sizeof(PyObject *))) {
                return 0;
            }
            if (bitmap->items[at] != NULL) {
                return bitmap->items[at] == variable ? (uintptr_t)bitmap->items[at + 1] : 0;
            }
            node = bitmap->items[at + 1];
        }
        else if (is_named(seen, node, "hamt_array_node")) {
            if (!readable(seen, node, sizeof(ArrayNode))) {
                return 0;
            }
            node = ((ArrayNode *)node)->children[part];
        }
        else {
            return 0;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- code objects */

static uint64_t
mixed(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ (value >> 33);
}

/* UTF-8, as much as there is room for. */
static int
copy_text(Readable *seen, PyObject *text, char *into, int room)
{
    Py_ssize_t length;
    int kind, used = 0;
    const void *data;

    if (!is_object(seen, text, &PyUnicode_Type, sizeof(PyCompactUnicodeObject)) || !PyUnicode_IS_COMPACT(text)) {
        return -1;
    }
    length = PyUnicode_GET_LENGTH(text);
    kind = PyUnicode_KIND(text);
    data = PyUnicode_IS_COMPACT_ASCII(text) ? (const void *)((PyASCIIObject *)text + 1)
                                            : (const void *)((PyCompactUnicodeObject *)text + 1);
    if (length < 0 || length > OBJECT_MOST / 4 || !readable(seen, data, (size_t)length * (size_t)kind + 1)) {
        return -1;
    }
    for (Py_ssize_t at = 0; at < length && used <= room - 4; at++) {
        uint32_t point = PyUnicode_READ(kind, data, at);
        if (point < 0x80) {
            into[used++] = (char)point;
        }
        else if (point < 0x800) {
            into[used++] = (char)(0xc0 | (point >> 6));
            into[used++] = (char)(0x80 | (point & 0x3f));
        }
        else if (point < 0x10000) {
            into[used++] = (char)(0xe0 | (point >> 12));
            into[used++] = (char)(0x80 | ((point >> 6) & 0x3f));
            into[used++] = (char)(0x80 | (point & 0x3f));
        }
        else {
            into[used++] = (char)(0xf0 | (point >> 18));
            into[used++] = (char)(0x80 | ((point >> 12) & 0x3f));
            into[used++] = (char)(0x80 | ((point >> 6) & 0x3f));
            into[used++] = (char)(0x80 | (point & 0x3f));
        }
    }
    return used;
}

/* Whether its names were told before. Those that are told meanwhile are told twice. */
static uint64_t *
known_place(uint64_t code)
{
    for (uint64_t at = code;; at++) {
        uint64_t *place = &known[at & (KNOWN - 1)], found = __atomic_load_n(place, __ATOMIC_ACQUIRE);
        if (found == code || found == 0) {
            return place;
        }
    }
}

static int
tell_names(Readable *seen, PyCodeObject *code, uint64_t number)
{
    uint64_t *place;
    Code *told;
    int state = FREE;

    if (__atomic_load_n(&known_count, __ATOMIC_RELAXED) >= KNOWN_MOST) {
        return 0;
    }
    place = known_place(number);
    if (__atomic_load_n(place, __ATOMIC_ACQUIRE) == number) {
        return 1;
    }
    told = &codes[__atomic_fetch_add(&next_code, 1, __ATOMIC_RELAXED) % CODES];
    if (!__atomic_compare_exchange_n(&told->state, &state, TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return 0;
    }
    told->code = number;
    told->name_bytes = copy_text(seen, code->co_qualname, told->name, NAME_BYTES);
    told->file_bytes = copy_text(seen, code->co_filename, told->file, FILE_BYTES);
    if (told->name_bytes < 0 || told->file_bytes < 0) {
        __atomic_store_n(&told->state, FREE, __ATOMIC_RELEASE);
        return 0;
    }
    __atomic_store_n(&told->state, FULL, __ATOMIC_RELEASE);
    __atomic_store_n(place, number, __ATOMIC_RELEASE);
    __atomic_fetch_add(&known_count, 1, __ATOMIC_RELAXED);
    return 1;
}

/* ---------------------------------------------------------------- frames */

#if PY_VERSION_HEX >= 0x030D0000
#define CODE_OF(frame) ((PyCodeObject *)(frame)->f_executable)
#define INSTRUCTION_OF(frame) ((frame)->instr_ptr)
#else
#define CODE_OF(frame) ((frame)->f_code)
#define INSTRUCTION_OF(frame) ((frame)->prev_instr)
#endif

static _PyInterpreterFrame *
innermost(Readable *seen, PyThreadState *state)
{
#if PY_VERSION_HEX >= 0x030D0000
    return state->current_frame;
#else
    _PyCFrame *within = state->cframe;
    return readable(seen, within, sizeof(_PyCFrame)) ? within->current_frame : NULL;
#endif
}

/* 1: its place is noted; 0: there is nothing to note, as of a function that is just called; -1: it is no frame. */
static int
note(Readable *seen, _PyInterpreterFrame *frame, Place *place)
{
    PyCodeObject *code = CODE_OF(frame);
    PyObject *table;
    Py_ssize_t at;
    int line = -1;

#if PY_VERSION_HEX >= 0x030C0000
    if (frame->owner == FRAME_OWNED_BY_CSTACK) {
        return 0;
    }
#endif
    if (!is_object(seen, code, &PyCode_Type, sizeof(PyCodeObject))) {
        return -1;
    }
    at = INSTRUCTION_OF(frame) - _PyCode_CODE(code);
    if (at < 0 || at >= Py_SIZE(code) || (frame->owner != FRAME_OWNED_BY_GENERATOR && at < code->_co_firsttraceable)) {
        return 0;
    }
    table = code->co_linetable;
    if (!is_object(seen, table, &PyBytes_Type, sizeof(PyBytesObject))
        || !readable(seen, PyBytes_AS_STRING(table), (size_t)PyBytes_GET_SIZE(table) + 1)) {
        return -1;
    }
    if (!is_object(seen, code->co_qualname, &PyUnicode_Type, sizeof(PyASCIIObject))) {
        return -1;
    }
    for (int tries = 0; line <= 0 && at >= 0 && tries < LINE_TRIES; tries++, at--) {
        line = PyCode_Addr2Line(code, (int)(at * (Py_ssize_t)sizeof(_Py_CODEUNIT)));
    }
    place->line = line > 0 ? line : code->co_firstlineno;
    /* Where a code was another one may be later; its names' hash and first line tell them apart. */
    place->code = mixed((uint64_t)(uintptr_t)code ^ mixed((uint64_t)((PyASCIIObject *)code->co_qualname)->hash)
                        ^ ((uint64_t)(uint32_t)code->co_firstlineno << 32)) | 1;
    return tell_names(seen, code, place->code);
}

static void
read_frames(Readable *seen, PyThreadState *state, Tick *tick)
{
    _PyInterpreterFrame *frame = innermost(seen, state);
    int walked = 0;

    tick->depth = tick->cut = 0;
    while (frame != NULL) {
        if (((uintptr_t)frame & (sizeof(void *) - 1)) != 0 || !readable(seen, frame, sizeof(*frame))
            || ++walked > 16 * DEPTH) {
            tick->depth = 0; /* half a stack would be a wrong one */
            return;
        }
        if (tick->depth == DEPTH) {
            tick->cut = 1;
            return;
        }
        int found = note(seen, frame, &tick->places[tick->depth]);
        if (found < 0) {
            tick->depth = 0;
            return;
        }
        tick->depth += found;
        frame = frame->previous;
    }
}

/* ---------------------------------------------------------------- the signal */

static long long
thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void
arm(timer_t timer, long long delay_ns)
{
    struct itimerspec spec = {{0, 0}, {(time_t)(delay_ns / SECOND_NS), (long)(delay_ns % SECOND_NS)}};
    timer_settime(timer, 0, &spec, NULL);
}

static void
on_tick(int number, siginfo_t *info, void *context)
{
    int error = errno, state = FREE;
    Thread *thread;
    Tick *tick;
    PyThreadState *python;
    Readable seen;
    long long cpu_ns, delay_ns;

    if (info->si_code != SI_TIMER || info->si_value.sival_int < 0 || info->si_value.sival_int >= THREADS) {
        return;
    }
    thread = &threads[info->si_value.sival_int];
    if (thread->tid == 0 || thread->tid != syscall(SYS_gettid)) {
        errno = error;
        return;
    }
    /* Each of the kernel's ticks finds the thread in its code as often as it is there; not so the first one after
     * some CPU time: where turns are short, that is found at their ends. So all are counted, and some are noted. */
    arm(thread->timer, 1);
    thread->unnoted++;
    cpu_ns = thread_ns();
    delay_ns = thread->share > 0 ? (cpu_ns - thread->begun_ns) / thread->share : 0;
    if ((thread->unnoted + 1) * thread->tick_ns <= (delay_ns > thread->interval_ns ? delay_ns : thread->interval_ns)) {
        errno = error;
        return;
    }
    python = PyGILState_GetThisThreadState();
    tick = &ticks[__atomic_fetch_add(&next_tick, 1, __ATOMIC_RELAXED) % TICKS];
    if (python == NULL
        || !__atomic_compare_exchange_n(&tick->state, &state, TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        __atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);
    }
    else {
        memset(&seen, 0, sizeof(seen));
        tick->tid = thread->tid;
        tick->cpu_ns = cpu_ns;
        tick->count = thread->unnoted;
        thread->unnoted = 0;
        tick->owner = owner_in(&seen, python);
        read_frames(&seen, python, tick);
        __atomic_store_n(&tick->state, FULL, __ATOMIC_RELEASE);
    }
    errno = error;
}

/* ---------------------------------------------------------------- for Python */

static PyObject *
install(PyObject *module, PyObject *args)
{
    int number;
    PyObject *owner;
    struct sigaction action, before;

    if (!PyArg_ParseTuple(args, "iO", &number, &owner)) {
        return NULL;
    }
    if (owner != Py_None && !PyContextVar_CheckExact(owner)) {
        PyErr_SetString(PyExc_TypeError, "install(signal, ContextVar or None)");
        return NULL;
    }
    if (sigaction(number, NULL, &before) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (before.sa_flags & SA_SIGINFO ? before.sa_sigaction != on_tick
                                     : before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        Py_RETURN_FALSE;
    }
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (owner != Py_None) {
        variable = Py_NewRef(owner);
    }
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_tick;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    installed = number;
    Py_RETURN_TRUE;
}

static void
forget_at(int at)
{
    if (threads[at].tid != 0) {
        timer_delete(threads[at].timer);
        threads[at].tid = 0;
    }
}

static int
still_ours(void)
{
    struct sigaction now;
    return installed && sigaction(installed, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO)
           && now.sa_sigaction == on_tick;
}

/* watch(tid, tick_ns, interval_ns, share) -> bool */
static PyObject *
watch(PyObject *module, PyObject *args)
{
    long tid;
    long long tick_ns, interval_ns, share;
    struct sigevent event;
    struct timespec now;
    clockid_t clock;
    int at, room = -1;

    if (!PyArg_ParseTuple(args, "lLLL", &tid, &tick_ns, &interval_ns, &share)) {
        return NULL;
    }
    if (!still_ours() || tid <= 0) {
        Py_RETURN_FALSE;
    }
    clock = (clockid_t)((~(clockid_t)tid << 3) | 6); /* CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD_MASK */
    for (at = 0; at < THREADS && threads[at].tid != tid; at++) {
        if (threads[at].tid == 0 && room < 0) {
            room = at;
        }
    }
    if (clock_gettime(clock, &now) != 0) {
        Py_RETURN_FALSE;
    }
    if (at == THREADS) {
        if (room < 0) {
            Py_RETURN_FALSE;
        }
        at = room;
        memset(&event, 0, sizeof(event));
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = installed;
        event.sigev_value.sival_int = at;
        event.sigev_notify_thread_id = (pid_t)tid;
        if (timer_create(clock, &event, &threads[at].timer) != 0) {
            Py_RETURN_FALSE;
        }
    }
    threads[at].tick_ns = tick_ns;
    threads[at].interval_ns = interval_ns;
    threads[at].unnoted = 0;
    threads[at].share = share;
    threads[at].begun_ns = now.tv_sec * SECOND_NS + now.tv_nsec;
    threads[at].tid = tid;
    arm(threads[at].timer, 1);
    Py_RETURN_TRUE;
}

static PyObject *
forget(PyObject *module, PyObject *arg)
{
    long tid = PyLong_AsLong(arg);
    if (tid == -1 && PyErr_Occurred()) {
        return NULL;
    }
    for (int at = 0; at < THREADS; at++) {
        if (tid == 0 || threads[at].tid == tid) {
            forget_at(at);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *
places_of(Tick *tick)
{
    PyObject *places = PyTuple_New(2 * (Py_ssize_t)tick->depth + tick->cut);
    for (int at = 0; places != NULL && at < tick->depth; at++) {
        PyObject *code = PyLong_FromUnsignedLongLong(tick->places[at].code);
        PyObject *line = PyLong_FromLong(tick->places[at].line);
        if (code == NULL || line == NULL) {
            Py_XDECREF(code);
            Py_XDECREF(line);
            Py_CLEAR(places);
            break;
        }
        PyTuple_SET_ITEM(places, 2 * at, code);
        PyTuple_SET_ITEM(places, 2 * at + 1, line);
    }
    if (places != NULL && tick->cut) {
        PyTuple_SET_ITEM(places, 2 * (Py_ssize_t)tick->depth, Py_NewRef(Py_None));
    }
    return places;
}

static int
append(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed;
}

/* fetch() -> None, or ([(tid, cpu_ns, count, owner, places)], [(code, name, file)], lost) */
static PyObject *
fetch(PyObject *module, PyObject *Py_UNUSED(args))
{
    static unsigned fetched;
    unsigned until = __atomic_load_n(&next_tick, __ATOMIC_ACQUIRE);
    PyObject *found, *names;
    int missed, failed = 0;

    if (until == fetched) {
        Py_RETURN_NONE;
    }
    found = PyList_New(0);
    names = PyList_New(0);
    for (unsigned at = until - fetched > TICKS ? until - TICKS : fetched; found && !failed && at != until; at++) {
        Tick *tick = &ticks[at % TICKS];
        int state = FULL;
        if (!__atomic_compare_exchange_n(&tick->state, &state, TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            continue; /* lost, or still being written by its thread: then it comes when its turn is again */
        }
        failed = append(found, Py_BuildValue("lLiKN", tick->tid, tick->cpu_ns, tick->count,
                                             (unsigned long long)tick->owner, places_of(tick)));
        __atomic_store_n(&tick->state, FREE, __ATOMIC_RELEASE);
    }
    fetched = until;
    for (int at = 0; names && !failed && at < CODES; at++) {
        Code *code = &codes[at];
        int state = FULL;
        if (__atomic_compare_exchange_n(&code->state, &state, TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            failed = append(names, Py_BuildValue("KNN", (unsigned long long)code->code,
                                                 PyUnicode_DecodeUTF8(code->name, code->name_bytes, "replace"),
                                                 PyUnicode_DecodeUTF8(code->file, code->file_bytes, "replace")));
            __atomic_store_n(&code->state, FREE, __ATOMIC_RELEASE);
        }
    }
    missed = __atomic_exchange_n(&lost, 0, __ATOMIC_RELAXED);
    if (failed || found == NULL || names == NULL) {
        Py_XDECREF(found);
        Py_XDECREF(names);
        return NULL;
    }
    return Py_BuildValue("NNi", found, names, missed);
}

/* Names are to be told again. */
static PyObject *
anew(PyObject *module, PyObject *Py_UNUSED(args))
{
    for (int at = 0; at < KNOWN; at++) {
        __atomic_store_n(&known[at], 0, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&known_count, 0, __ATOMIC_RELEASE);
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"install", install, METH_VARARGS,
     "install(signal, variable): take the signal, for ever; False if it is another's. The variable (a ContextVar, or"
     " None) says whose code runs."},
    {"watch", watch, METH_VARARGS,
     "watch(tid, tick_ns, interval_ns, share): tick with the kernel's ticks, each of which stands for tick_ns; noted"
     " are those an interval apart, or a share of its CPU time so far, about. False if that cannot be had. Again:"
     " begin anew."},
    {"forget", forget, METH_O, "forget(tid): no tick of that thread any more; 0: of none"},
    {"fetch", fetch, METH_NOARGS, "fetch() -> None or ([(tid, cpu_ns, count, owner, places)], [(code, name, file)], lost)"},
    {"anew", anew, METH_NOARGS, "anew(): tell the names of codes again"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_ticks",
    .m_doc = "Notes where threads compute, in a signal handler on the thread itself; see ticks.py.",
    .m_size = -1,
    .m_methods = module_methods,
};

PyMODINIT_FUNC
PyInit__ticks(void)
{
    return PyModule_Create(&module_definition);
}
