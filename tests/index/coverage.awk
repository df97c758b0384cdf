# SPDX-License-Identifier: GPL-2.0
#
# Compare the lines that gcov calls not executed with those that may be: UNCOVERED is
# a list of "FUNCTION: LINE", with the reason below, behind a tab.
#
#   awk -f coverage.awk UNCOVERED FILE.gcov

function trim(text)
{
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

NR == FNR {
	if ($0 !~ /^[#\t]/ && NF)
		allowed[$0] = 1
	else if ($0 ~ /^\t/)
		reasons++
	next
}

{
	count = trim($0)
	sub(/:.*/, "", count)
	line = $0
	sub(/^[^:]*:[^:]*:/, "", line)
	# The name stands at the start of a line, or behind the return type.
	if (line ~ /^[a-z].*\(/) {
		name = line
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
	}
	if (count == "-" || line == "")
		next
	lines++
	if (count !~ /^#+$/)
		next
	missing++
	key = name ": " trim(line)
	if (key in allowed)
		seen[key] = 1
	else
		bad[++nr_bad] = "not executed: " key
}

END {
	for (key in allowed) {
		if (!(key in seen))
			bad[++nr_bad] = "executed, or gone: " key
	}
	printf "1..1\n# %d of %d lines executed, %d not, each with a reason in tests/index/uncovered\n",
		lines - missing, lines, missing
	for (i = 1; i <= nr_bad; i++)
		print "# " bad[i]
	print (nr_bad || !lines ? "not ok" : "ok") " 1 coverage of the index"
	exit nr_bad || !lines
}
