#!/bin/sh
# AWS_LAMBDA_EXEC_WRAPPER: the function's handler is loaded, and recorded, by Relive's. So it is before the
# command of a container's image: python -m awslambdaric HANDLER
#
# All names are RELIVE_RECORD_...: others are the function's. What a shell changes of the environment by itself,
# relive_outside.hosts.wrapped puts back, with what is changed here.

RELIVE_RECORD_OURS=relive_outside.hosts.aws_lambda.handler
RELIVE_RECORD_NAME= RELIVE_RECORD_BEFORE= RELIVE_RECORD_BACKWARDS= RELIVE_RECORD_COUNT=0
for RELIVE_RECORD_WORD do
  RELIVE_RECORD_COUNT=$((RELIVE_RECORD_COUNT + 1))
  if [ "${RELIVE_RECORD_BEFORE##*/}" = awslambdaric ]; then
    RELIVE_RECORD_NAME=$RELIVE_RECORD_WORD
    break
  fi
  # No command has so many words before it: more are not looked at
  if [ "$RELIVE_RECORD_COUNT" = 100 ]; then break; fi
  RELIVE_RECORD_BEFORE=$RELIVE_RECORD_WORD
  RELIVE_RECORD_BACKWARDS="$RELIVE_RECORD_COUNT $RELIVE_RECORD_BACKWARDS"
  eval "RELIVE_RECORD_WORD_$RELIVE_RECORD_COUNT=\$RELIVE_RECORD_WORD"
done
if [ -n "$RELIVE_RECORD_NAME" ]; then
  shift "$RELIVE_RECORD_COUNT"
  set -- "$RELIVE_RECORD_OURS" "$@"
  for RELIVE_RECORD_COUNT in $RELIVE_RECORD_BACKWARDS; do
    eval "set -- \"\$RELIVE_RECORD_WORD_$RELIVE_RECORD_COUNT\" \"\$@\""
  done
elif [ "${RELIVE_RECORD_BEFORE##*/}" != awslambdaric ] && [ -n "$_HANDLER" ]; then
  RELIVE_RECORD_NAME=$_HANDLER
  export _HANDLER="$RELIVE_RECORD_OURS"
else
  echo "relive-record: nothing is recorded: neither _HANDLER nor 'awslambdaric HANDLER' names a handler" >&2
  exec "$@"
fi
export RELIVE_RECORD_HANDLER="$RELIVE_RECORD_NAME"
RELIVE_RECORD_ENVIRON=$({ base64 </proc/$$/environ; } 2>/dev/null)
# A larger one is no variable that the system takes
if [ "${#RELIVE_RECORD_ENVIRON}" -lt 120000 ]; then export RELIVE_RECORD_ENVIRON; else unset RELIVE_RECORD_ENVIRON; fi
if [ -z "$PYTHONHASHSEED" ]; then
  # Sets then have the same order in a replay
  RELIVE_RECORD_SEED=$(od -An -N4 -tu4 /dev/urandom 2>/dev/null)
  RELIVE_RECORD_SEED=${RELIVE_RECORD_SEED##* }
  case $RELIVE_RECORD_SEED in
    "" | 0 | *[!0-9]*) ;;
    *) export PYTHONHASHSEED="$RELIVE_RECORD_SEED" ;;
  esac
fi
exec "$@"
