"""Results as plain text: tables for a terminal, and pages that an editor shows beside a file."""
