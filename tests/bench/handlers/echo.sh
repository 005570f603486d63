#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# The handlers of the benchmark for the shell kit: what usher-null does.

# shellcheck source-path=SCRIPTDIR source=../../../contrib/handlers/shell/usher.sh
. "$(dirname "$0")/../../../contrib/handlers/shell/usher.sh"

echo_params()
{
	usher_finish "$(usher_message -c '{echo: .params}')"
}

for ((i = 0; i < 512; i++)); do
	usher_handle "bench-$i" echo_params
done
usher_run
