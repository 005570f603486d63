#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# The cancel example: work that stops when nobody waits for it any more.

# shellcheck source-path=SCRIPTDIR source=../usher.sh
. "$(dirname "$0")/../usher.sh"

# Looks between two steps.
count()
{
	local i to

	to=$(usher_message '.params | objects | .to | numbers')
	for ((i = 1; i <= ${to:-600}; i++)); do
		if usher_is_cancelled; then
			usher_log info "cancelled at $i"
			usher_fail cancelled
			return
		fi
		usher_send "{\"count\":$i}"
		sleep 0.1	# the work
	done
	usher_finish '{"done":true}'
}

# One long program, ended by the cancel.
wait_long()
{
	usher_watch sleep 60 && usher_finish '{"done":true}'
}

usher_handle count count
usher_handle wait wait_long
usher_run
