/* A process that has crashed tells the server and stops where it is, so that its frames can be read.

Python's fault handler puts the handlers back that were there before it, and raises the signal again: that is
when this one runs, on the same stack. All it calls may be called in a signal handler. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define SIGNALS_MAX 8
#define FRAME_BYTES 64
#define THREAD_BYTES 8

typedef struct {
    int number;
    size_t length;
    size_t thread_at; /* where the frame has the thread's number, 8 bytes, the highest first */
    unsigned char frame[FRAME_BYTES];
} Message;

static Message messages[SIGNALS_MAX];
static int message_count;
static int told_to = -1;
static pid_t own_pid;
static pid_t parent_pid;
static char has_told;

/* Whether somebody knows by now that this process waits for its end. */
static int
tell(int number)
{
    for (int at = 0; at < message_count; at++) {
        Message *message = &messages[at];
        if (message->number != number) {
            continue;
        }
        uint64_t thread = (uint64_t)(uintptr_t)pthread_self(); /* as threading.get_ident() */
        for (int byte = 0; byte < THREAD_BYTES; byte++) {
            message->frame[message->thread_at + byte] = (unsigned char)(thread >> (8 * (THREAD_BYTES - 1 - byte)));
        }
        ssize_t sent = send(told_to, message->frame, message->length, MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent == (ssize_t)message->length;
    }
    return 0;
}

/* A process that stands still must not outlive the one that would end it. */
static int
ends_with_parent(void)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent_pid;
}

static void
stand_still(int number)
{
    int error = errno;
    /* A child that the function forked is nobody's to end: it dies as ever. */
    if (getpid() == own_pid && !__atomic_test_and_set(&has_told, __ATOMIC_SEQ_CST)
        && ends_with_parent() && tell(number)) {
        raise(SIGSTOP); /* all threads. Whoever sends SIGCONT wants it to die of its signal: a core file */
    }
    errno = error;
    raise(number); /* SA_RESETHAND has put the default back */
}

static PyObject *
arm(PyObject *Py_UNUSED(module), PyObject *args)
{
    int descriptor;
    PyObject *list;
    if (!PyArg_ParseTuple(args, "iO!", &descriptor, &PyTuple_Type, &list)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(list) > SIGNALS_MAX) {
        PyErr_SetString(PyExc_ValueError, "too many signals");
        return NULL;
    }
    message_count = 0;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(list); at++) {
        Message *message = &messages[at];
        const char *frame;
        Py_ssize_t length, thread_at;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(list, at), "iy#n", &message->number, &frame, &length, &thread_at)) {
            return NULL;
        }
        if (length > FRAME_BYTES || thread_at < 0 || thread_at + THREAD_BYTES > length) {
            PyErr_SetString(PyExc_ValueError, "a frame is too long, or has no room for the thread");
            return NULL;
        }
        memcpy(message->frame, frame, (size_t)length);
        message->length = (size_t)length;
        message->thread_at = (size_t)thread_at;
        message_count = (int)at + 1;
    }
    told_to = descriptor;
    own_pid = getpid();
    parent_pid = getppid();
    has_told = 0;
    for (int at = 0; at < message_count; at++) {
        struct sigaction action;
        memset(&action, 0, sizeof(action));
        action.sa_handler = stand_still;
        action.sa_flags = SA_RESETHAND | SA_NODEFER | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(messages[at].number, &action, NULL) != 0) {
            return PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"arm", arm, METH_VARARGS,
     "arm(descriptor, ((signal, frame, thread_at), ...)): at one of the signals write its frame, with the thread's"
     " number put in, to the socket, and stop. Call it before faulthandler.enable. Raises OSError, ValueError."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_standstill",
    .m_doc = "Stops this process where it crashes; see faults.py.",
    .m_size = -1,
    .m_methods = module_methods,
};

PyMODINIT_FUNC
PyInit__standstill(void)
{
    return PyModule_Create(&module_definition);
}
