/* What the sampler does most often, in C: a few lines of machine code, where in Python and ctypes it is code
 * and data in many pages, and an invocation that comes after a pause finds all of them out of the caches.
 *
 * Everything here goes by public API, so that one source serves all versions; native.py has the same in
 * Python.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <time.h>

#define SECOND_NS 1000000000LL

/* settime(timer, delay_ns, repeat_ns): signal so long from now, and then again and again; 0: not at all, once. */
static PyObject *
settime(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    struct itimerspec spec = {{0, 0}, {0, 0}};
    long long delay_ns, repeat_ns;
    void *timer;

    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "settime(timer, delay_ns, repeat_ns)");
        return NULL;
    }
    timer = PyLong_AsVoidPtr(args[0]);
    if (timer == NULL && PyErr_Occurred()) {
        return NULL;
    }
    delay_ns = PyLong_AsLongLong(args[1]);
    repeat_ns = PyLong_AsLongLong(args[2]);
    if ((delay_ns == -1 || repeat_ns == -1) && PyErr_Occurred()) {
        return NULL;
    }
    if (delay_ns > 0) {
        if (repeat_ns > 0) {
            spec.it_interval.tv_sec = (time_t)(repeat_ns / SECOND_NS);
            spec.it_interval.tv_nsec = (long)(repeat_ns % SECOND_NS);
        }
        spec.it_value.tv_sec = (time_t)(delay_ns / SECOND_NS);
        spec.it_value.tv_nsec = (long)(delay_ns % SECOND_NS);
    }
    timer_settime((timer_t)timer, 0, &spec, NULL);
    Py_RETURN_NONE;
}

/* The place of a frame that is known: a borrowed reference; NULL without an error if it is not. */
static PyObject *
known_place(PyObject *lines, PyFrameObject *frame)
{
    PyObject *place = NULL;
    PyCodeObject *code = PyFrame_GetCode(frame);
    PyObject *key = PyLong_FromVoidPtr(code);

    Py_DECREF(code); /* the frame holds it */
    if (key != NULL) {
        PyObject *instructions = PyDict_GetItemWithError(lines, key);
        Py_DECREF(key);
        if (instructions != NULL) {
            PyObject *last = PyLong_FromLong(PyFrame_GetLasti(frame));
            if (last != NULL) {
                place = PyDict_GetItemWithError(instructions, last);
                Py_DECREF(last);
            }
        }
    }
    return place;
}

/* walk(frame, outer, depth, lines, place, cut): see native.py. */
static PyObject *
walk(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *places, *result, *outer, *lines, *make, *cut, *frame;
    long depth;

    if (count != 6 || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "walk(frame, outer, depth, lines, place, cut)");
        return NULL;
    }
    outer = args[1];
    lines = args[3];
    make = args[4];
    cut = args[5];
    if (args[0] != Py_None && !PyFrame_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "walk: not a frame");
        return NULL;
    }
    depth = PyLong_AsLong(args[2]);
    if (depth == -1 && PyErr_Occurred()) {
        return NULL;
    }
    places = PyList_New(0);
    if (places == NULL) {
        return NULL;
    }
    frame = args[0] == Py_None ? NULL : args[0];
    Py_XINCREF(frame);
    while (frame != NULL && frame != outer) {
        PyObject *place, *back;
        int failed;

        if (depth-- <= 0) {
            failed = PyList_Append(places, cut);
            Py_DECREF(frame);
            frame = NULL;
            if (failed) {
                Py_DECREF(places);
                return NULL;
            }
            break;
        }
        place = known_place(lines, (PyFrameObject *)frame);
        if (place != NULL) {
            Py_INCREF(place);
        }
        else if (!PyErr_Occurred()) {
            place = PyObject_CallOneArg(make, frame);
        }
        failed = place == NULL || PyList_Append(places, place) < 0;
        Py_XDECREF(place);
        if (failed) {
            Py_DECREF(frame);
            Py_DECREF(places);
            return NULL;
        }
        back = (PyObject *)PyFrame_GetBack((PyFrameObject *)frame);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    result = PyList_AsTuple(places);
    Py_DECREF(places);
    return result;
}

/* What the collector has taken since this process began. Threads take turns by the GIL. */
static long long gc_began_ns, gc_total_ns, gc_collections;

static long long
now_ns(PyObject *info)
{
    struct timespec now;
    PyObject *generation = PyDict_Check(info) ? PyDict_GetItemString(info, "generation") : NULL;
    /* A full collection is long enough for others to have the CPU meanwhile; that is not the collector's time. */
    int full = generation != NULL && PyLong_Check(generation) && PyLong_AsLong(generation) > 1;

    clock_gettime(full ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* gc_hook(phase, info): one of gc.callbacks; phase is "start" or "stop". */
static PyObject *
gc_hook(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count > 1 && PyUnicode_Check(args[0]) && PyUnicode_GET_LENGTH(args[0]) > 2) {
        if (PyUnicode_READ_CHAR(args[0], 2) == 'a') {
            gc_began_ns = now_ns(args[1]);
        }
        else if (gc_began_ns) {
            gc_total_ns += now_ns(args[1]) - gc_began_ns;
            gc_collections++;
            gc_began_ns = 0;
        }
    }
    Py_RETURN_NONE;
}

/* gc_totals() -> (ns, collections) that gc_hook has seen. */
static PyObject *
gc_totals(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return Py_BuildValue("LL", gc_total_ns, gc_collections);
}

static PyMethodDef module_methods[] = {
    {"gc_hook", (PyCFunction)(void (*)(void))gc_hook, METH_FASTCALL, "gc_hook(phase, info)"},
    {"gc_totals", (PyCFunction)(void (*)(void))gc_totals, METH_FASTCALL, "gc_totals() -> (ns, collections)"},
    {"settime", (PyCFunction)(void (*)(void))settime, METH_FASTCALL, "settime(timer, delay_ns, repeat_ns)"},
    {"walk", (PyCFunction)(void (*)(void))walk, METH_FASTCALL,
     "walk(frame, outer, depth, lines, place, cut) -> tuple of places, innermost first"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_looks",
    .m_doc = "Walks frames and sets timers; see native.py.",
    .m_size = 0,
    .m_methods = module_methods,
};

PyMODINIT_FUNC
PyInit__looks(void)
{
    return PyModule_Create(&module_definition);
}
