"""The selective scan: one public function, and its back ends."""
